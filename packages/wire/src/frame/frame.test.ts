import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../test/hex.ts";
import { hostileBytes, refusal } from "../../test/mutation.ts";
import { join, patternBytes } from "../../test/objects.ts";
import { readCases } from "../../test/vectors.ts";
import { createFrameDecoder, encodeFrame, encodeFrameHead } from "./frame.ts";

type Case = {
  readonly hex: string;
  readonly payloads: readonly string[];
  readonly limits?: { maxFrameBytes: number };
};

const good = readCases<Case>("frame/good.json");
const bad = readCases<Case & { readonly code: string }>("frame/bad.json");

/** Reads a stream in pieces of one size; what came before a refusal is in `payloads`. */
function read(
  stream: Uint8Array,
  { piece = stream.length, ...limits }: { piece?: number; maxFrameBytes?: number } = {},
) {
  const payloads: Uint8Array[] = [];
  const code = refusal(() => {
    const decoder = createFrameDecoder({ onFrame: (payload) => payloads.push(payload), ...limits });
    for (let at = 0; at < stream.length; at += piece) decoder.push(stream.subarray(at, at + piece));
    decoder.finish();
  });
  return { payloads, code };
}

describe("the vectors of spec/wire.md §5", () => {
  for (const { name, hex, payloads } of good) {
    test(`${name}: read and written alike, in one piece or byte by byte`, () => {
      const stream = fromHex(hex);
      assert.equal(toHex(join(payloads.map((payload) => encodeFrame(fromHex(payload))))), hex);
      for (const piece of [stream.length, 1, 3]) {
        const found = read(stream, { piece: Math.max(1, piece) });
        assert.equal(found.code, null);
        assert.deepEqual(
          found.payloads.map((payload) => toHex(payload)),
          payloads,
        );
      }
    });
  }
  for (const { name, hex, payloads, code, limits } of bad) {
    test(`${name}: refused as ${code}, after what came before`, () => {
      for (const piece of [hex.length, 1]) {
        const found = read(fromHex(hex), { piece, ...limits });
        assert.equal(found.code, code);
        assert.deepEqual(
          found.payloads.map((payload) => toHex(payload)),
          payloads,
        );
      }
    });
  }
});

test("the pieces in which a stream arrives do not show", () => {
  const payload = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100_000 }));
  fc.assert(
    fc.property(
      fc.array(payload, { maxLength: 6 }),
      fc.integer({ min: 1, max: 70_000 }),
      (lengths, piece) => {
        const payloads = lengths.map((length, at) => patternBytes(at, length));
        const found = read(join(payloads.map((bytes) => encodeFrame(bytes))), { piece });
        assert.equal(found.code, null);
        assert.equal(Buffer.compare(join(found.payloads), join(payloads)), 0);
        assert.deepEqual(
          found.payloads.map(({ length }) => length),
          lengths,
        );
      },
    ),
  );
});

test("whatever arrives, only coded errors are thrown, and payloads keep to the limit", () => {
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex));
  fc.assert(
    fc.property(hostileBytes(seeds), fc.integer({ min: 1, max: 40 }), (bytes, piece) => {
      const { payloads, code } = read(bytes, { piece, maxFrameBytes: 300 });
      assert.ok(code === null || code.startsWith("frame_"), String(code));
      assert.ok(payloads.every(({ length }) => length > 0 && length <= 300));
      const written = join(payloads.map((payload) => encodeFrame(payload)));
      assert.deepEqual(written, bytes.slice(0, written.length));
      if (code === null) assert.equal(written.length, bytes.length);
    }),
    { numRuns: 5_000 },
  );
});

test("a limit that is a function is asked for each frame anew", () => {
  const payloads: Uint8Array[] = [];
  const decoder = createFrameDecoder({
    onFrame: (payload) => payloads.push(payload),
    maxFrameBytes: () => (payloads.length === 0 ? 1 : 3),
  });
  decoder.push(join([encodeFrame(patternBytes(0, 1)), encodeFrame(patternBytes(1, 3))]));
  assert.equal(payloads.length, 2);
  assert.equal(
    refusal(() => decoder.push(encodeFrameHead(4))),
    "frame_too_large",
  );
});

test("a payload that comes in one piece is not copied, and one that does not is no view", () => {
  const stream = join([encodeFrame(patternBytes(0, 10)), encodeFrame(patternBytes(1, 10))]);
  assert.ok(read(stream).payloads.every(({ buffer }) => buffer === stream.buffer));
  assert.ok(read(stream, { piece: 9 }).payloads.every(({ buffer }) => buffer !== stream.buffer));
});

test("a long frame that is announced takes no memory before it comes", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 200 }, () => {
    const decoder = createFrameDecoder({ onFrame: () => {} });
    decoder.push(join([encodeFrameHead(1_048_576), new Uint8Array(10)]));
    return decoder;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 16e6);
  assert.ok(decoders.every((decoder) => refusal(() => decoder.finish()) === "frame_truncated"));
});

test("a stream that was refused, or whose receiver failed, is read no further", () => {
  const refused = createFrameDecoder({ onFrame: () => {} });
  assert.equal(
    refusal(() => refused.push(new Uint8Array(4))),
    "frame_empty",
  );
  assert.equal(
    refusal(() => refused.push(encodeFrame(patternBytes(0, 1)))),
    "misused",
  );
  assert.equal(
    refusal(() => refused.finish()),
    "misused",
  );
  const failing = createFrameDecoder({
    onFrame: () => {
      throw new RangeError("no");
    },
  });
  assert.throws(() => failing.push(encodeFrame(patternBytes(0, 1))), RangeError);
  assert.equal(
    refusal(() => failing.push(encodeFrame(patternBytes(0, 1)))),
    "misused",
  );
});

test("what could not be read is not written", () => {
  assert.equal(
    refusal(() => encodeFrame(new Uint8Array(0))),
    "frame_empty",
  );
  assert.equal(
    refusal(() => encodeFrameHead(0)),
    "frame_empty",
  );
  assert.equal(
    refusal(() => encodeFrame(new Uint8Array(5), 4)),
    "frame_too_large",
  );
  assert.equal(
    refusal(() => encodeFrameHead(1_048_577)),
    "frame_too_large",
  );
  assert.equal(
    refusal(() => encodeFrameHead(1_048_577, 2_000_000)),
    null,
  );
});
