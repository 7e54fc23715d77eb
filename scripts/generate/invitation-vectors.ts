// The vectors of spec/invitation.md: invitations, messages, proofs, and who is taken for whom. What they say is written down here.
import { createHash } from "node:crypto";
import {
  domainRoot,
  encodeInvitationMessage,
  formatInvitation,
  type Invitation,
  type InvitationMessage,
  invitationId,
  invitationProof,
  pinnedCertificate,
} from "@catalyst/identity";
import { encodeCbor } from "@catalyst/wire";
import { toHex } from "../../packages/wire/test/hex.ts";
import type { Generated } from "../generate.ts";
import { type CertificateName, certificate } from "./invitation-certificates.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

const sha256 = (bytes: Uint8Array | string) => Uint8Array.from(createHash("sha256").update(bytes).digest());
const secretOf = (word: string) => sha256(word).subarray(0, 16);
const now = 1_795_292_300_000;

const plain: Invitation = {
  addresses: ["192.0.2.1:7400"],
  anchor: sha256(certificate("acmeRoot")),
  domain: "acme.catalyst.internal",
  expires: 1_800_000_600,
  node: "n1",
  peer: null,
  secret: secretOf("invitation"),
};

const invitations: Readonly<Record<string, Invitation>> = {
  "for whoever has it": plain,
  "for one node": { ...plain, peer: "m1.globex.catalyst.internal" },
  "several addresses, of names and of IPv6": {
    ...plain,
    addresses: ["n1.acme.example:7400", "[2001:db8::1]:7400", "192.0.2.1:7400"],
  },
  "the last second": { ...plain, expires: 2 ** 40 },
};

/** An invitation of any map, in the form of good ones. */
function textOf(map: object, { prefix = "peer1.", checksum = true } = {}): string {
  const body = encodeCbor({ ...map });
  const sum = checksum ? sha256(body).subarray(0, 4) : new Uint8Array(4);
  return `${prefix}${Buffer.concat([body, sum]).toString("base64url")}`;
}

const { peer: _, ...peerless } = plain;
const badInvitations: Readonly<Record<string, string>> = {
  "no text": "",
  "the prefix alone": "peer1.",
  "the prefix of a join token": textOf(plain, { prefix: "join1." }),
  "a checksum that is not its own": textOf(plain, { checksum: false }),
  "a character less": formatInvitation(plain).slice(0, -1),
  padding: `${formatInvitation(plain)}=`,
  "no peer, where null says that it is for nobody in particular": textOf(peerless),
  "a member that is not known": textOf({ ...plain, port: 1 }),
  "no address": textOf({ ...plain, addresses: [] }),
  "nine addresses": textOf({ ...plain, addresses: Array.from({ length: 9 }, () => "192.0.2.1:1") }),
  "an address in upper case": textOf({ ...plain, addresses: ["N1.example:1"] }),
  "a node of two labels": textOf({ ...plain, node: "n1.acme" }),
  "a peer without a domain": textOf({ ...plain, peer: "m1" }),
  "a secret of 15 bytes": textOf({ ...plain, secret: plain.secret.subarray(1) }),
  "an anchor of 31 bytes": textOf({ ...plain, anchor: plain.anchor.subarray(1) }),
  "an end before 1970": textOf({ ...plain, expires: -1 }),
  "too long": `peer1.${"A".repeat(3_067)}`,
};

const messages: Readonly<Record<string, InvitationMessage>> = {
  hello: { kind: "hello", anchor: certificate("acmeRoot") },
  join: {
    kind: "join",
    invitation: invitationId(plain.secret),
    anchor: certificate("globexRoot"),
    proof: sha256("a proof"),
  },
  accepted: { kind: "accepted", peer: "m1.globex.catalyst.internal" },
  refused: { kind: "refused", code: "invitation_used", text: "another node has used the invitation" },
};

const badMessages: Readonly<Record<string, Uint8Array>> = {
  "no map": encodeCbor([1]),
  "an unknown kind": encodeCbor({ kind: "welcome" }),
  "hello without an anchor": encodeCbor({ kind: "hello" }),
  "hello with an empty anchor": encodeCbor({ kind: "hello", anchor: new Uint8Array() }),
  "hello with an anchor of 8193 bytes": encodeCbor({ kind: "hello", anchor: new Uint8Array(8_193) }),
  "join with a proof of 31 bytes": encodeCbor({ ...messages["join"], proof: new Uint8Array(31) }),
  "join with an id in upper case": encodeCbor({ ...messages["join"], invitation: "0123456789ABCDEF" }),
  "refused with a code that is none": encodeCbor({ ...messages["refused"], code: "No way" }),
  "a byte behind it": Uint8Array.from([...encodeInvitationMessage({ kind: "accepted", peer: "a.b" }), 0]),
};

const proofs = [
  { name: "an organisation's root", secret: "invitation", shown: "m1", anchor: "globexRoot" },
  { name: "a node's own certificate", secret: "invitation", shown: "x1", anchor: "x1" },
  { name: "another secret", secret: "other", shown: "m1", anchor: "globexRoot" },
] as const;

/** Who is at the other end of n1 of acme, which believes the roots and the pinned certificates that are named. */
type Introduction = {
  readonly chain: readonly CertificateName[];
  readonly anchor: CertificateName;
  readonly roots?: readonly CertificateName[];
  readonly pinned?: readonly CertificateName[];
  readonly expected?: string;
  readonly isNamed?: boolean;
  readonly now?: number;
};

const m1 = { chain: ["m1", "globexIssuing"], anchor: "globexRoot" } as const;
const n3 = { chain: ["n3"], anchor: "n3" } as const;
const introductions: Readonly<
  Record<string, Introduction & { readonly peer: string; readonly kind: string }>
> = {
  "another organisation, by its root": { ...m1, peer: "m1.globex.catalyst.internal", kind: "root" },
  "another organisation, whose root is believed": {
    ...m1,
    roots: ["acmeRoot", "globexRoot"],
    peer: "m1.globex.catalyst.internal",
    kind: "root",
  },
  "the one that was expected": {
    ...m1,
    expected: "m1.globex.catalyst.internal",
    peer: "m1.globex.catalyst.internal",
    kind: "root",
  },
  "the same organisation": {
    chain: ["n2", "acmeIssuing"],
    anchor: "acmeRoot",
    peer: "n2.acme.catalyst.internal",
    kind: "root",
  },
  "a node that signs for itself": {
    chain: ["x1"],
    anchor: "x1",
    peer: "x1.initech.internal",
    kind: "pinned",
  },
  "one of the own domain, that somebody named": {
    ...n3,
    expected: "n3.acme.catalyst.internal",
    isNamed: true,
    peer: "n3.acme.catalyst.internal",
    kind: "pinned",
  },
  "one of the own domain, that is pinned already": {
    ...n3,
    pinned: ["n3"],
    peer: "n3.acme.catalyst.internal",
    kind: "pinned",
  },
};

const strangers: Readonly<Record<string, Introduction & { readonly code: string }>> = {
  "another one than was expected": {
    ...m1,
    expected: "m2.globex.catalyst.internal",
    code: "invitation_other_node",
  },
  "one of the own domain, that nobody named": { ...n3, code: "anchor_conflict" },
  "a root, where another one is believed": {
    ...m1,
    roots: ["acmeRoot", "otherGlobexRoot"],
    isNamed: true,
    expected: "m1.globex.catalyst.internal",
    code: "anchor_conflict",
  },
  "a root that did not sign": { chain: m1.chain, anchor: "otherGlobexRoot", code: "peer_refused" },
  "an issuing authority in place of the root": {
    chain: m1.chain,
    anchor: "globexIssuing",
    code: "anchor_unusable",
  },
  "the node's certificate, which another one signed": {
    chain: m1.chain,
    anchor: "m1",
    code: "anchor_unusable",
  },
  "another node's certificate": { chain: m1.chain, anchor: "x1", code: "anchor_unusable" },
  "another process": { chain: ["m1Gateway", "globexIssuing"], anchor: "globexRoot", code: "peer_refused" },
  "a certificate that has expired": { ...m1, now: now + 7_200_000, code: "peer_refused" },
};

function introduction({ chain, anchor, roots = ["acmeRoot"], pinned = [], ...rest }: Introduction) {
  const der = (name: CertificateName) => toHex(certificate(name));
  const domainOf = (name: CertificateName) => (name.startsWith("acme") ? "acme" : "globex");
  return {
    chain: chain.map(der),
    anchor: der(anchor),
    roots: roots.map((name) => {
      const root = domainRoot(`${domainOf(name)}.catalyst.internal`, certificate(name));
      return { domain: root.domain, hex: der(name) };
    }),
    pinned: pinned.map((name) => toHex(pinnedCertificate(certificate(name)).certificate)),
    ...{ expected: null, isNamed: false, now, ...rest },
  };
}

const about = (section: string) => `spec/invitation.md section ${section}`;
const named = <Value>(cases: Readonly<Record<string, Value>>, show: (value: Value) => object) =>
  Object.entries(cases).map(([name, value]) => ({ name, ...show(value) }));
const shown = (value: unknown) => (value instanceof Uint8Array ? { bytes: toHex(value) } : value);

const files: Readonly<Record<string, VectorFile>> = {
  "invitation/good": {
    about: about("2"),
    vectors: named(invitations, (value) => ({
      text: formatInvitation(value),
      id: invitationId(value.secret),
      value: { ...value, anchor: toHex(value.anchor), secret: toHex(value.secret) },
    })),
  },
  "invitation/bad": {
    about: about("2"),
    vectors: named(badInvitations, (text) => ({ text, code: "invitation_malformed" })),
  },
  "message/good": {
    about: about("3.1"),
    vectors: named(messages, (message) => ({
      hex: toHex(encodeInvitationMessage(message)),
      members: Object.fromEntries(Object.entries(message).map(([key, value]) => [key, shown(value)])),
    })),
  },
  "message/bad": {
    about: about("3.1"),
    vectors: named(badMessages, (bytes) => ({ hex: toHex(bytes), code: "message_malformed" })),
  },
  "proof/good": {
    about: about("3.3"),
    vectors: proofs.map(({ name, secret, ...of }) => {
      const proven = { certificate: certificate(of.shown), anchor: certificate(of.anchor) };
      const binding = sha256(`binding of ${name}`);
      return {
        name,
        secret: toHex(secretOf(secret)),
        binding: toHex(binding),
        certificate: toHex(proven.certificate),
        anchor: toHex(proven.anchor),
        proof: toHex(invitationProof(secretOf(secret), { binding, ...proven })),
      };
    }),
  },
  "peer/good": {
    about: about("4"),
    vectors: named(introductions, ({ peer, kind, ...given }) => ({ ...introduction(given), peer, kind })),
  },
  "peer/bad": {
    about: about("4"),
    vectors: named(strangers, ({ code, ...given }) => ({ ...introduction(given), code })),
  },
};

export function generateInvitationVectors(): readonly Generated[] {
  return Object.entries(files).map(([name, file]) => {
    const path = `spec/vectors/invitation/${name}.json`;
    return { path, content: format(path, JSON.stringify(file)) };
  });
}
