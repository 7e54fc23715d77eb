import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ReadStreamResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { ChunkReader } from "./chunk-reader.ts";
import type { SourceMessage } from "./source.ts";

/** Reads messages of which each comes in pieces of so many bytes. */
function read(messages: readonly Uint8Array[], pieceBytes = 7): SourceMessage[] {
  const found: SourceMessage[] = [];
  const reader = new ChunkReader((message) => found.push(message));
  for (const message of messages) {
    const bytes = Buffer.from(message);
    for (let at = 0; at < bytes.length || at === 0; at += pieceBytes)
      reader.push(bytes.subarray(at, at + pieceBytes), at + pieceBytes >= bytes.length);
  }
  return found;
}

const encoded = (fields: {
  chunk?: Uint8Array;
  offset?: bigint;
  totalSize?: bigint;
  validator?: Uint8Array;
}) => toBinary(ReadStreamResponseSchema, create(ReadStreamResponseSchema, fields));
const first = encoded({
  chunk: Buffer.from("first"),
  offset: 3n,
  totalSize: 99n,
  validator: Buffer.from("v"),
});
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("Of the first message all is read, of later ones the bytes of the file, wherever they are cut", () => {
  const later = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
  fc.assert(
    fc.property(later, fc.integer({ min: 1, max: 400 }), (chunks, pieceBytes) => {
      const [told, ...more] = read([first, ...chunks.map((chunk) => encoded({ chunk }))], pieceBytes);
      assert.equal(Buffer.from(told?.chunk ?? []).toString(), "first");
      assert.deepEqual([told?.offset, told?.totalSize], [3n, 99n]);
      assert.deepEqual(Buffer.concat(more.map(({ chunk }) => chunk)), Buffer.concat(chunks));
    }),
  );
});

test("Fields that are not known, of every wire type and in any order, are passed over", () => {
  const odd = hex("10 ff 01  19 0102030405060708  0a 02 6869  22 01 00  3a 00  fd 07 01020304");
  assert.deepEqual(
    read([first, odd])
      .slice(1)
      .map(({ chunk }) => Buffer.from(chunk).toString()),
    ["hi"],
  );
});

test("Empty messages are not heard of, but for a first one", () => {
  assert.equal(read([encoded({}), encoded({}), hex("0a 00")]).length, 1);
});

test("What is no message is refused", () => {
  const wrong = {
    "cut in a tag": "8a",
    "cut in a length": "0a ff",
    "cut in the bytes": "0a 05 01",
    "cut in a number": "10 ff",
    "a number of 11 bytes": "10 ffffffffffffffffffff 01",
    "field zero": "02 00",
    "a group": "0b",
    "bytes that are a number": "08 01",
    "bytes twice": "0a 01 61 0a 01 62",
  };
  for (const [why, bytes] of Object.entries(wrong))
    assert.throws(() => read([first, hex(bytes)]), { code: "source_refused" }, why);
  assert.throws(() => read([hex("0a 05 01")]), { code: "source_refused" });
});

test("A first message of over 4 MiB is refused before it is held", () => {
  const piece = Buffer.alloc(64 * 1024);
  const reader = new ChunkReader(() => undefined);
  const push = () => {
    for (let pushed = 0; pushed < 80; pushed++) reader.push(piece, false);
  };
  assert.throws(push, { code: "source_refused" });
});

test("A first message in pieces of a byte costs its bytes, and shows that it grows", () => {
  const whole = Buffer.from(
    encoded({ chunk: Buffer.alloc(1_000_000, 7), offset: 0n, totalSize: 1_000_000n }),
  );
  const found: SourceMessage[] = [];
  const reader = new ChunkReader((message) => found.push(message));
  const before = process.memoryUsage().heapUsed;
  let begun = 0;
  for (let at = 0; at < whole.length; at++) {
    // Each piece of its own, as a connection gives it.
    reader.push(Buffer.from([whole[at] ?? 0]), at === whole.length - 1);
    if (at === whole.length - 2) begun = reader.begun;
  }
  assert.equal(begun, whole.length - 1);
  assert.equal(found[0]?.chunk.length, 1_000_000);
  assert.ok(process.memoryUsage().heapUsed < before + 60e6);
});
