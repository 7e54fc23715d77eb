import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type Cid, cidOfTree, hashTree, type LeafSize } from "@catalyst/wire";
import type { GetOutcome, Receiver, Store } from "./store.ts";

/** Bytes that differ at every place and for every seed. */
export function makeBytes(length: number, seed = 1): Uint8Array {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 32) {
    createHash("sha256").update(`${seed} ${at}`).digest().copy(bytes, at);
  }
  return bytes;
}

/** The bytes of a found object. */
export async function readAll(outcome: GetOutcome): Promise<Uint8Array> {
  assert.equal(outcome.kind, "found");
  const pieces: Uint8Array[] = [];
  if (outcome.kind === "found") for await (const piece of outcome.bytes) pieces.push(new Uint8Array(piece));
  return Buffer.concat(pieces);
}

/** Stores bytes, and fails when that is refused. */
export async function putBytes(store: Store, bytes: Uint8Array, leafSize: LeafSize = 16_384): Promise<Cid> {
  const outcome = await store.put([bytes], { namespace: "a", leafSize });
  assert.equal(outcome.kind, "stored");
  return cidOfTree(hashTree(bytes, { leafSize }));
}

/** Gives a receiver the leaves of some ranges. */
export async function feed(
  receiver: Receiver,
  bytes: Uint8Array,
  ranges: readonly { start: number; end: number }[],
): Promise<void> {
  const nodes: Uint8Array[] = [];
  hashTree(bytes, {
    leafSize: receiver.tree.leafSize,
    onNode: (digest) => nodes.push(new Uint8Array(digest)),
  });
  const outboard = Buffer.concat(nodes);
  const writer = receiver.take(ranges);
  for (let step = writer.next(); step !== null; step = writer.next()) {
    if (step.kind === "leaf") await writer.acceptLeaf(bytes.subarray(step.offset, step.offset + step.length));
    else {
      const [left, right] = [step.left, step.right].map((at) => outboard.subarray(at, at + 32));
      writer.acceptParent(Buffer.concat([left ?? outboard, right ?? outboard]));
    }
  }
}
