import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { bytesOf } from "./open.ts";

const first = toHex(bytesOf("first", 16));
const second = toHex(bytesOf("second", 16));
const lower = { own: "n1.acme.catalyst.internal", peer: "n2.acme.catalyst.internal" };
const higher = { own: lower.peer, peer: lower.own };

const cases = [
  {
    name: "both dialled, the peer is higher",
    ...lower,
    rival: { dialledBy: "own", incarnation: null },
    stays: "newcomer",
  },
  {
    name: "both dialled, this node is higher",
    ...higher,
    rival: { dialledBy: "own", incarnation: null },
    stays: "rival",
  },
  {
    name: "an established one that this node dialled, this node is higher",
    ...higher,
    rival: { dialledBy: "own", incarnation: first },
    stays: "rival",
  },
  {
    name: "the peer has started anew, though this node is higher",
    ...higher,
    rival: { dialledBy: "own", incarnation: second },
    stays: "newcomer",
  },
  {
    name: "the peer dialled both, though this node is higher",
    ...higher,
    rival: { dialledBy: "peer", incarnation: first },
    stays: "newcomer",
  },
  {
    name: "names are compared byte by byte, not by number",
    own: "n10.acme.catalyst.internal",
    peer: "n9.acme.catalyst.internal",
    rival: { dialledBy: "own", incarnation: null },
    stays: "newcomer",
  },
];

export const collisionVectors: Readonly<Record<"good", VectorFile>> = {
  good: {
    about:
      "spec/session.md §6. An OPEN with `incarnation` came on a connection that `peer` dialled to `own`, and `rival` is there.",
    vectors: cases.map((one) => ({ incarnation: first, ...one })),
  },
};
