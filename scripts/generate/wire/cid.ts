import { hash } from "node:crypto";
import { type CidContent, type CidHash, cidToBytes, formatCid } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";

const contents: readonly CidContent[] = ["raw", "cbor"];
const hashes: readonly CidHash[] = [
  "sha2-256",
  "sha2-256-tree-16KiB",
  "sha2-256-tree-64KiB",
  "sha2-256-tree-256KiB",
];

export function cidVectors(): VectorFile {
  return {
    about: "spec/wire.md §2. The parts of a CID, its bytes and its text.",
    vectors: contents.flatMap((content) => hashes.map((name) => vector(content, name))),
  };
}

/** Digests that are easily told apart; what they are digests of does not matter here. */
function vector(content: CidContent, name: CidHash): object {
  const digest = hash("sha256", `${content} ${name}`, "buffer");
  const cid = formatCid({ content, hash: name, digest });
  return {
    name: `${content}, ${name}`,
    content,
    hash: name,
    digest: toHex(digest),
    hex: toHex(cidToBytes(cid)),
    text: cid,
  };
}
