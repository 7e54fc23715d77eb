import { keyedList, option, z } from "@catalyst/config";
import { namePattern } from "@catalyst/wire";
import { certifiedProcesses } from "./enrolment/enrolment.ts";

const file = z.string().min(1);

/** A certificate that somebody else looks after. */
const certificateDeclaration = z.strictObject({
  process: option(z.enum(certifiedProcesses), { description: "The process whose certificate it is." }),
  certificateFile: option(file, {
    description:
      "Its chain, PEM, the process's own first. It names the process: `spiffe://DOMAIN/node/NODE/PROCESS`.",
  }),
  privateKeyFile: option(file, { description: "Its private key, PEM, unencrypted." }),
});

const rootDeclaration = z.strictObject({
  domain: option(z.string().max(253).regex(namePattern, "is not a domain such as acme.catalyst.internal"), {
    description: "The organisation for whose names they are good, and for no others.",
  }),
  file: option(file, { description: "Certificates of its roots, PEM." }),
});

/** Section `auth.identity`: certificates by path, beside or in place of those of the root authority. */
export const identityOptions = z.strictObject({
  certificates: keyedList(certificateDeclaration, {
    key: "process",
    flag: "process-certificate",
    description:
      "Certificates of this node's processes, where they come from elsewhere. They are not renewed; new ones in their place are taken up.",
  }),
  roots: keyedList(rootDeclaration, {
    key: "domain",
    flag: "domain-root",
    description:
      "Roots that are believed beside those of the organisation that this node belongs to. Taken up anew when they change.",
  }),
  pinnedFiles: option(z.array(file).default([]), {
    description:
      "Files of certificates, PEM, that nodes signed for themselves: each is believed for its own node. Taken up anew when they change.",
  }),
  maxStaleHours: option(z.int().min(1).max(8_760).default(24), {
    description:
      "On a node that has joined: for how long after the root authority was last heard credentials are verified by the keys that it told of. Then none is taken until it is heard again.",
  }),
  jwksFile: option(file.optional(), {
    description:
      "JWK Set of keys that sign access tokens of this organisation elsewhere: believed beside those of the root authority. Taken up anew when it changes.",
  }),
});

export type IdentityOptions = z.output<typeof identityOptions>;
