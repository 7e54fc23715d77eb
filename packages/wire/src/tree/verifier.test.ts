import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "../../test/mutation.ts";
import { makeObject, type TestObject } from "../../test/objects.ts";
import { createRangeVerifier, type RangeVerifier } from "./verifier.ts";
import { type TreeStep, walkRange } from "./walk.ts";

const leafSize = 16_384;
const object = makeObject(7 * leafSize, leafSize);

const pairOf = ({ outboard }: TestObject, step: TreeStep & { kind: "parent" }) =>
  Buffer.concat([
    outboard.subarray(step.left, step.left + 32),
    outboard.subarray(step.right, step.right + 32),
  ]);
const leafOf = ({ bytes }: TestObject, step: TreeStep & { kind: "leaf" }) =>
  bytes.subarray(step.offset, step.offset + step.length);

function accept(verifier: RangeVerifier, step: TreeStep, from = object): void {
  if (step.kind === "parent") verifier.acceptParent(pairOf(from, step));
  else verifier.acceptLeaf(leafOf(from, step));
}

test("a verifier asks for what a walk goes through", () => {
  const ranges = [{ start: 2 * leafSize, end: 5 * leafSize }];
  const verifier = createRangeVerifier(object.tree, ranges);
  for (const step of walkRange(object.tree, ranges)) {
    assert.deepEqual(verifier.next(), step);
    accept(verifier, step);
  }
  assert.equal(verifier.next(), null);
});

test("a leaf's digest lies in the outboard where its step says", () => {
  for (const step of walkRange(object.tree)) {
    if (step.kind !== "leaf") continue;
    const single = createRangeVerifier({
      ...object.tree,
      size: step.length,
      top: object.outboard.subarray(step.digest, step.digest + 32),
    });
    single.acceptLeaf(leafOf(object, step));
    assert.equal(single.next(), null);
  }
});

test("a refused part changes nothing: the same is tried again, with the bytes of somebody else", () => {
  const verifier = createRangeVerifier(object.tree);
  for (let step = verifier.next(); step !== null; step = verifier.next()) {
    const current = step;
    const wrong = current.kind === "parent" ? pairOf(object, current) : Buffer.from(leafOf(object, current));
    wrong[9] = (wrong[9] ?? 0) ^ 1;
    const tryWith = (bytes: Uint8Array) =>
      refusal(() => (current.kind === "parent" ? verifier.acceptParent(bytes) : verifier.acceptLeaf(bytes)));
    assert.equal(tryWith(wrong), "tree_mismatch");
    assert.equal(tryWith(wrong.subarray(1)), "tree_mismatch");
    assert.deepEqual(verifier.next(), current);
    accept(verifier, current);
  }
});

test("what cannot be had is skipped, with everything below it", () => {
  const verifier = createRangeVerifier(object.tree);
  const leaves: number[] = [];
  for (let step = verifier.next(); step !== null; step = verifier.next()) {
    const unwanted = step.kind === "parent" ? step.first === 4 && step.leaves === 3 : step.index === 1;
    if (unwanted) verifier.skip();
    else accept(verifier, step);
    if (!unwanted && step.kind === "leaf") leaves.push(step.index);
  }
  assert.deepEqual(leaves, [0, 2, 3]);
  assert.equal(
    refusal(() => verifier.skip()),
    "misused",
  );
});

test("parents keep their digests when the caller uses the bytes for something else", () => {
  const verifier = createRangeVerifier(object.tree);
  for (let step = verifier.next(); step !== null; step = verifier.next()) {
    if (step.kind === "leaf") {
      verifier.acceptLeaf(leafOf(object, step));
      continue;
    }
    const pair = pairOf(object, step);
    verifier.acceptParent(pair);
    pair.fill(0);
  }
  assert.equal(verifier.next(), null);
});

test("a leaf where a parent is next, and the other way round, is a fault of the caller", () => {
  const verifier = createRangeVerifier(object.tree, [{ start: 0, end: 1 }]);
  assert.equal(
    refusal(() => verifier.acceptLeaf(object.bytes.subarray(0, leafSize))),
    "misused",
  );
  for (let step = verifier.next(); step?.kind === "parent"; step = verifier.next()) accept(verifier, step);
  assert.equal(
    refusal(() => verifier.acceptParent(new Uint8Array(64))),
    "misused",
  );
  verifier.acceptLeaf(object.bytes.subarray(0, leafSize));
  assert.equal(
    refusal(() => verifier.acceptLeaf(object.bytes.subarray(0, leafSize))),
    "misused",
  );
});
