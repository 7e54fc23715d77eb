import { createHash } from "node:crypto";
import { createTreeHasher, type HashedObject, type LeafSize, type ReadBytes } from "@catalyst/wire";
import { toHex } from "./hex.ts";

/** The object of the vectors: byte `i` is `i mod 251`. */
export function patternBytes(start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (start + at) % 251;
  return bytes;
}

/** An object with all that serves it. */
export type TestObject = {
  readonly bytes: Uint8Array;
  readonly tree: HashedObject;
  readonly outboard: Uint8Array;
  readonly read: { readonly object: ReadBytes; readonly outboard: ReadBytes };
};

export function makeObject(size: number, leafSize: LeafSize): TestObject {
  const bytes = patternBytes(0, size);
  const nodes: Uint8Array[] = [];
  const hasher = createTreeHasher({
    leafSize,
    sha256: true,
    onNode: (digest) => nodes.push(Uint8Array.from(digest)),
  });
  hasher.update(bytes);
  const tree = hasher.finish();
  const outboard = join(nodes);
  const part = (of: Uint8Array) => (offset: number, length: number) => of.subarray(offset, offset + length);
  return { bytes, tree, outboard, read: { object: part(bytes), outboard: part(outboard) } };
}

export function join(parts: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from(Buffer.concat([...parts]));
}

/** A plain reading of spec/wire.md §3, which shares nothing with what it checks. */
export function specTree(bytes: Uint8Array, leafSize: number): { root: string; outboard: Buffer[] } {
  const sha256 = (...parts: Uint8Array[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const outboard: Buffer[] = [];
  const node = (start: number, end: number): Buffer => {
    const leaves = Math.max(1, Math.ceil((end - start) / leafSize));
    let split = 1;
    while (split * 2 < leaves) split *= 2;
    const middle = start + split * leafSize;
    const digest =
      leaves === 1
        ? sha256(Buffer.of(0), sha256(bytes.subarray(start, end)))
        : sha256(Buffer.of(1), node(start, middle), node(middle, end));
    outboard.push(digest);
    return digest;
  };
  const sizes = Buffer.alloc(12);
  sizes.writeBigUInt64BE(BigInt(bytes.length), 0);
  sizes.writeUInt32BE(leafSize, 8);
  return { root: toHex(sha256(Buffer.of(2), sizes, node(0, bytes.length))), outboard };
}
