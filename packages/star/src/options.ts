import { keyedList, option, z } from "@catalyst/config";

const starDeclaration = z.strictObject({
  name: z
    .string()
    .regex(/^[^/:]{1,63}$/, "must be a name without / and :")
    .meta({ description: "What `catalyst replicate` calls it." }),
  url: z.string().min(1).meta({
    description:
      "Where it listens: `http://host:port`, `https://host:port`, or `host:port`, which is plain text.",
  }),
  token: option(z.string().min(1).optional(), {
    description: "What it wants to be shown. By default the variable `ORBIT_STAR_TOKEN`.",
    secret: true,
  }),
  authoritiesFile: option(z.string().min(1).optional(), {
    description:
      "Whom its certificate is of, PEM, where its URL is https. By default `star.tls.authoritiesFile`.",
  }),
});

const tlsOptions = z.strictObject({
  authoritiesFile: option(z.string().min(1).optional(), {
    description:
      "Certificates of the authorities of stars with https URLs, PEM. By default those that Node knows. The variable `ORBIT_TLS_AUTHORITIES` wins over it.",
  }),
  certificateFile: option(z.string().min(1).optional(), {
    description:
      "Certificate chain that is shown to stars that ask for one, PEM, and by who carries bytes between them. The variable `ORBIT_TLS_CERTIFICATE` wins over it.",
  }),
  privateKeyFile: option(z.string().min(1).optional(), {
    description:
      "Private key of the certificate, PEM, unencrypted. The variable `ORBIT_TLS_KEY` wins over it.",
  }),
});

/** The section `star` of a node's configuration: what the Nucleus, `catalyst replicate`, commands. */
export const starOptions = z.strictObject({
  authSecret: option(z.string().min(1).optional(), {
    description:
      "What transfer tokens are signed with, the same at all stars. The variable `ORBIT_AUTH_SECRET` wins over it.",
    secret: true,
  }),
  tls: tlsOptions,
  stars: keyedList(starDeclaration, {
    key: "name",
    flag: "star",
    description: "Stars by name, for `catalyst replicate`.",
  }),
});
export type StarSection = z.output<typeof starOptions>;
