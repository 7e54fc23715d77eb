import { hash } from "node:crypto";
import { type Cid, type CidContent, formatCid } from "./cid.ts";

/** The CID of bytes that are read in one piece, spec/wire.md §2: at most 1 MiB of them. */
export function cidOfBlock(bytes: Uint8Array, content: CidContent = "raw"): Cid {
  return formatCid({ content, hash: "sha2-256", digest: hash("sha256", bytes, "buffer") });
}
