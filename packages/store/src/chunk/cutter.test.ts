import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { makeBytes } from "../test-objects.ts";
import { chunksOf } from "./chunks.ts";
import { createCutter } from "./cutter.ts";
import { type ChunkMean, chunkMeans, chunkParameters } from "./parameters.ts";
import { bytesOfParts, type InputPart, readVectors } from "./test-vectors.ts";

type Vector = {
  readonly name: string;
  readonly mean: ChunkMean;
  readonly input: readonly InputPart[];
  readonly sha256: string;
  readonly ends: readonly number[];
};

describe("the vectors of spec/content.md §1", () => {
  for (const { name, mean, input, sha256, ends } of readVectors<Vector>("chunk/good.json")) {
    test(`${name}: chunks end where they must`, () => {
      const bytes = bytesOfParts(input);
      assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
      assert.deepEqual(endsIn([bytes], mean), ends);
      assert.deepEqual(specEnds(bytes, mean), ends);
    });
  }
});

const source = makeBytes(3_000_000);
/** Bytes with changes and repetitions, of up to about 700 KB. */
const input = fc
  .array(fc.tuple(fc.nat(2_000_000), fc.integer({ min: 1, max: 140_000 })), { minLength: 1, maxLength: 5 })
  .map((parts) => Buffer.concat(parts.map(([from, length]) => source.subarray(from, from + length))));

test("chunks end where the plain reading of the specification says", () => {
  fc.assert(
    fc.property(input, (bytes) => assert.deepEqual(endsIn([bytes], 65_536), specEnds(bytes, 65_536))),
    { numRuns: 20 },
  );
});

test("chunks do not depend on the pieces in which bytes come", () => {
  const cuts = fc.array(fc.nat(700_000), { maxLength: 40 });
  fc.assert(
    fc.property(input, cuts, fc.constantFrom(...chunkMeans), (bytes, places, mean) => {
      assert.deepEqual(endsIn(split(bytes, places), mean), endsIn([bytes], mean));
    }),
    { numRuns: 60 },
  );
});

test("bytes that come one by one are cut as those that come at once", () => {
  const bytes = makeBytes(200_000, 7);
  const ones = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  assert.deepEqual(endsIn(ones, 65_536), endsIn([bytes], 65_536));
});

test("chunks joined are the input; all but the last have at least the least length, and none is too long", async () => {
  const places = fc.array(fc.nat(700_000), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(input, places, async (bytes, cuts) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of chunksOf(split(bytes, cuts), 65_536)) chunks.push(chunk);
      assert.equal(Buffer.compare(Buffer.concat(chunks), bytes), 0);
      const { min, max } = chunkParameters(65_536);
      for (const [at, { length }] of chunks.entries()) {
        assert.ok(length <= max && length >= (at < chunks.length - 1 ? min : 1), `${length}`);
      }
    }),
    { numRuns: 40 },
  );
});

test("a byte that is inserted, removed or changed makes at most three new chunks", () => {
  const bytes = makeBytes(4_000_000, 3);
  const known = new Set(chunkDigests(bytes));
  for (let at = 13; at < bytes.length; at += 371_117) {
    const inserted = Buffer.concat([bytes.subarray(0, at), Buffer.of(1), bytes.subarray(at)]);
    const removed = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    const changed = Uint8Array.from(bytes);
    changed[at] = ~(changed[at] ?? 0);
    for (const edited of [inserted, removed, changed]) {
      const added = chunkDigests(edited).filter((digest) => !known.has(digest));
      assert.ok(added.length >= 1 && added.length <= 3, `${added.length} new chunks at ${at}`);
    }
  }
});

test("the mean of the chunks of random bytes is what the parameters are named by, within 10 %", () => {
  const bytes = makeBytes(24_000_000, 5);
  const chunks = endsIn([bytes], 65_536).length;
  assert.ok(Math.abs(bytes.length / chunks / 65_536 - 1) < 0.1, `${bytes.length / chunks}`);
});

test("bytes that are all the same are cut into the longest chunks, whichever they are", () => {
  for (const mean of chunkMeans) {
    const { max } = chunkParameters(mean);
    for (let byte = 0; byte < 256; byte += 5) {
      assert.deepEqual(endsIn([Buffer.alloc(max + 1, byte)], mean), [max, max + 1]);
    }
  }
});

test("a mean that has no parameters is refused", () => {
  assert.throws(() => createCutter(100_000 as ChunkMean), { name: "StoreError", code: "option_invalid" });
});

function chunkDigests(bytes: Uint8Array): string[] {
  const ends = endsIn([bytes], 65_536);
  return ends.map((end, at) =>
    createHash("sha256")
      .update(bytes.subarray(ends[at - 1] ?? 0, end))
      .digest("hex"),
  );
}

function endsIn(pieces: readonly Uint8Array[], mean: ChunkMean): number[] {
  const cutter = createCutter(mean);
  const ends: number[] = [];
  let before = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const end = cutter.next(piece, at);
      if (end >= 0) ends.push(before + end);
      at = end < 0 ? piece.length : end;
    }
    before += piece.length;
  }
  if (before > (ends.at(-1) ?? 0)) ends.push(before);
  return ends;
}

function split(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end));
}

/** A plain reading of spec/content.md §1, which shares nothing with what it checks. */
function specEnds(bytes: Uint8Array, mean: number): number[] {
  const table = Array.from({ length: 256 }, (_, byte) =>
    createHash("sha256").update(`catalyst gear ${byte}`).digest().readUInt32BE(),
  );
  const hashBefore = (place: number) => {
    let sum = 0;
    for (let back = 0; back < 31; back++) sum += (table[bytes[place - 1 - back] ?? 0] ?? 0) << back;
    return (sum & 0x7fff_ffff) >>> 0;
  };
  const ends: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    const most = Math.min(mean * 4, bytes.length - start);
    let length = Math.min(mean / 4, most);
    for (; length < most; length++) {
      const zeros = Math.log2(mean) + (length < (mean * 13) / 16 ? 2 : -2);
      if (hashBefore(start + length) < 2 ** (31 - zeros)) break;
    }
    start += length;
    ends.push(start);
  }
  return ends;
}
