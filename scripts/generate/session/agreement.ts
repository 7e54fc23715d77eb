import { createHash } from "node:crypto";
import { fromHex, toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { bytesOf, hexOf, type Members, offerOf, openOf } from "./open.ts";

type Case = {
  /** What the reader does: it dialled or was dialled. Default `listener`. */
  readonly role?: "dialler" | "listener";
  readonly own?: Members;
  readonly theirs?: Members;
  /** Default: n2's. Null for a plain transport. */
  readonly certificate?: { readonly id: object | null; readonly keyThumbprint: string } | null;
  /** The protocols that the other end may speak. Default: all. */
  readonly admitted?: readonly string[];
};

type Agreed = {
  readonly version: number;
  readonly holdMs: number;
  readonly maxFrameBytes: number;
  readonly protocols: readonly object[];
  readonly unavailable?: readonly string[];
};

const window = { messages: 1_024, bytes: 4_194_304 };
const small = { 3: 8, 4: 2_097_152 };
const smallWindow = { messages: 8, bytes: 2_097_152 };
const cp = { name: "cp", version: 1, send: window, receive: window };
const plainly: Agreed = { version: 1, holdMs: 15_000, maxFrameBytes: 1_048_576, protocols: [cp] };

const good: readonly (Case & { readonly name: string; readonly agreed: Agreed })[] = [
  { name: "equal offers, read by the listener", agreed: plainly },
  { name: "equal offers, read by the dialler", role: "dialler", agreed: plainly },
  { name: "plain: any key will do", certificate: null, theirs: { 4: new Uint8Array(32) }, agreed: plainly },
  {
    name: "the highest common version of session and protocol, the smaller hold time, the peer's frames and windows",
    own: { 1: [1, 2, 3], 8: 9_000, 10: [offerOf("cp", [1, 2, 4])] },
    theirs: { 1: [1, 2, 5], 8: 60_000, 9: 70_000, 10: [offerOf("cp", [2, 3], small)] },
    agreed: {
      version: 2,
      holdMs: 9_000,
      maxFrameBytes: 70_000,
      protocols: [{ name: "cp", version: 2, send: smallWindow, receive: window }],
    },
  },
  {
    name: "a protocol that only one of them has is left out, one in no common version is told of",
    own: { 10: [offerOf("cp", [1]), offerOf("own", [1]), offerOf("tp", [1])] },
    theirs: { 10: [offerOf("cp", [1]), offerOf("theirs", [1]), offerOf("tp", [2])] },
    agreed: { ...plainly, unavailable: ["tp"] },
  },
  {
    name: "a protocol that the peer may not speak is left out",
    own: { 10: [offerOf("cp", [1]), offerOf("tp", [1])] },
    theirs: { 10: [offerOf("cp", [1]), offerOf("tp", [1])] },
    admitted: ["cp"],
    agreed: { ...plainly, unavailable: ["tp"] },
  },
];

const everything = ["cp", "own", "theirs", "tp"];

function certificateOf(node: string, { domain = "acme.catalyst.internal", process = "orchestrator" } = {}) {
  return { id: { domain, node, process }, keyThumbprint: toHex(bytesOf(`key of ${node}`)) };
}

const n2 = certificateOf("n2");

const bad: readonly (Case & { readonly name: string; readonly code: string })[] = [
  { name: "no common version", own: { 1: [2] }, code: "version_unsupported" },
  {
    name: "no common version, from itself, under another certificate: the first step counts",
    own: { 1: [2] },
    theirs: { 2: "n1.acme.catalyst.internal" },
    certificate: {
      ...certificateOf("n1", { domain: "umbrella.catalyst.internal" }),
      keyThumbprint: n2.keyThumbprint,
    },
    code: "version_unsupported",
  },
  { name: "itself", theirs: { 2: "n1.acme.catalyst.internal" }, code: "self_connection" },
  {
    name: "another node than was dialled",
    role: "dialler",
    theirs: openOf("n3"),
    certificate: certificateOf("n3"),
    code: "identity_mismatch",
  },
  {
    name: "another node than was dialled, plainly",
    role: "dialler",
    theirs: openOf("n3"),
    certificate: null,
    code: "identity_mismatch",
  },
  {
    name: "the certificate of another node",
    certificate: { ...certificateOf("n3"), keyThumbprint: n2.keyThumbprint },
    code: "identity_mismatch",
  },
  {
    name: "the certificate of the same label in another domain",
    certificate: {
      ...certificateOf("n2", { domain: "umbrella.catalyst.internal" }),
      keyThumbprint: n2.keyThumbprint,
    },
    code: "identity_mismatch",
  },
  { name: "a certificate that names nobody", certificate: { ...n2, id: null }, code: "identity_mismatch" },
  {
    name: "another key than the certificate's",
    theirs: { 4: bytesOf("another key") },
    code: "identity_mismatch",
  },
  { name: "another purpose in the answer", role: "dialler", theirs: { 7: "bulk" }, code: "open_mismatch" },
  { name: "somebody who is not let in", admitted: [], code: "not_admitted" },
  {
    name: "somebody who is not let in learns nothing of protocols",
    admitted: [],
    theirs: { 10: [offerOf("tp", [1])] },
    code: "not_admitted",
  },
  {
    name: "nothing in common but what the peer may not speak",
    own: { 10: [offerOf("cp", [1]), offerOf("tp", [1])] },
    theirs: { 10: [offerOf("tp", [1])] },
    admitted: ["cp"],
    code: "protocol_unsupported",
  },
  { name: "no common protocol", theirs: { 10: [offerOf("tp", [1])] }, code: "protocol_unsupported" },
  {
    name: "no common version of the protocol",
    theirs: { 10: [offerOf("cp", [2])] },
    code: "protocol_unsupported",
  },
];

/** A case as it is written: `own` is n1's OPEN, `theirs` is n2's, each with what is changed. */
function caseOf({ role = "listener", own, theirs, certificate = n2, admitted = everything }: Case) {
  return {
    role,
    own: hexOf(openOf("n1", own)),
    theirs: hexOf(openOf("n2", theirs)),
    certificate,
    expected: role === "dialler" ? "n2.acme.catalyst.internal" : null,
    admitted,
  };
}

function transcript({ role, own, theirs }: ReturnType<typeof caseOf>): string {
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  const both = role === "dialler" ? [own, theirs] : [theirs, own];
  return digest(Buffer.concat(both.map((hex) => digest(fromHex(hex))))).toString("hex");
}

export const agreementVectors: Readonly<Record<"good" | "bad", VectorFile>> = {
  good: {
    about:
      "spec/session.md §4.2 and §5.2. Two OPENs, what follows from them for the reader, and their transcript.",
    vectors: good.map(({ name, agreed, ...one }) => {
      const written = caseOf(one);
      return { name, ...written, agreed: { unavailable: [], ...agreed }, transcript: transcript(written) };
    }),
  },
  bad: {
    about: "spec/session.md §5.2. Two OPENs of which the reader refuses `theirs` with `code`.",
    vectors: bad.map(({ name, code, ...one }) => ({ name, ...caseOf(one), code })),
  },
};
