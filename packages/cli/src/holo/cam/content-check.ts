import { createHash } from "node:crypto";
import {
  type Cid,
  cidOfTree,
  createTreeHasher,
  decodeCbor,
  formatCid,
  rootOfCid,
  splitCid,
  WireError,
} from "@catalyst/wire";

/** Whether bytes are what a CID says. */
export type ContentCheck = {
  update(bytes: Uint8Array): void;
  /** Called once, after all bytes. */
  matches(): boolean;
};

/** For what cannot be right, whatever comes. */
export const neverRight: ContentCheck = { update: () => {}, matches: () => false };

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

/** What a manifest may be at most: spec/content.md §2. */
export const manifestLimits = { maxBytes: 65_536, maxDepth: 3, maxItems: 4_096 } as const;

/** Whether a CID names a manifest: the one kind of object that is CBOR. */
export function isManifest(cid: Cid): boolean {
  return splitCid(cid).content === "cbor" && rootOfCid(cid) !== null;
}

/** Checks all bytes of a file that was cut into pieces, against the SHA-256 that its manifest has. */
export function checkFile(cid: Cid, manifest: Uint8Array): ContentCheck {
  const own = checkContent(cid);
  own.update(manifest);
  const digest = own.matches() ? digestIn(manifest) : null;
  return digest === null ? neverRight : checkSha256(digest);
}

function digestIn(manifest: Uint8Array): string | null {
  try {
    const value = decodeCbor(manifest, manifestLimits);
    const sha256 = value instanceof Map ? value.get("sha256") : null;
    return sha256 instanceof Uint8Array ? Buffer.from(sha256).toString("hex") : null;
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
