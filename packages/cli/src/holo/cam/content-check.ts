import { createHash } from "node:crypto";
import { type Cid, cidOfTree, createTreeHasher, formatCid, rootOfCid, splitCid } from "@catalyst/wire";

/** Whether bytes are what a CID says. */
export type ContentCheck = {
  update(bytes: Uint8Array): void;
  /** Called once, after all bytes. */
  matches(): boolean;
};

/** Checks all bytes of an object, or of a block, against its CID. */
export function checkContent(cid: Cid): ContentCheck {
  const { content } = splitCid(cid);
  const tree = rootOfCid(cid);
  if (tree !== null) {
    const hasher = createTreeHasher({ leafSize: tree.leafSize });
    return { update: hasher.update, matches: () => cidOfTree(hasher.finish(), content) === cid };
  }
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    matches: () => formatCid({ content, hash: "sha2-256", digest: hash.digest() }) === cid,
  };
}

/** Checks all bytes against their SHA-256, in hexadecimal. */
export function checkSha256(hex: string): ContentCheck {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), matches: () => hash.digest("hex") === hex };
}
