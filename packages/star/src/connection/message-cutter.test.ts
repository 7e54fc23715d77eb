import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageCutter } from "./message-cutter.ts";

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("Messages come out as they went in, wherever the connection cuts them", () => {
  const cutAt = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), cutAt, (messages, cuts) => {
      const whole = Buffer.concat(messages.map(framed));
      const found: Buffer[] = [];
      let pieces: Buffer[] = [];
      const cutter = new MessageCutter((bytes, isLast) => {
        pieces.push(bytes);
        if (isLast) found.push(Buffer.concat(pieces.splice(0)));
      });
      let from = 0;
      for (const to of [...cuts, whole.length].sort((one, other) => one - other)) {
        cutter.push(whole.subarray(from, to));
        from = Math.max(from, Math.min(to, whole.length));
      }
      assert.deepEqual(
        found,
        messages.map((message) => Buffer.from(message)),
      );
      assert.equal(cutter.isInside, false);
      pieces = [];
    }),
  );
});

test("An answer that ends inside of a head or a message is told from one that does not", () => {
  for (const sent of [1, 4, 5, 7]) {
    const cutter = new MessageCutter(() => undefined);
    cutter.push(framed(Buffer.from("abc")).subarray(0, sent));
    assert.equal(cutter.isInside, true, `${sent} bytes`);
  }
});

test("A compressed message is refused", () => {
  const cutter = new MessageCutter(() => undefined);
  assert.throws(() => cutter.push(Buffer.from([1, 0, 0, 0, 0])), { code: "source_refused" });
});
