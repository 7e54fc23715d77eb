import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readEventStream, type StreamEvent } from "./event-stream.ts";

async function read(chunks: readonly Uint8Array[], maxBytes = 10_000): Promise<StreamEvent[]> {
  async function* body() {
    yield* chunks;
  }
  return await Array.fromAsync(readEventStream(body(), maxBytes));
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("an event stream", () => {
  it("has events with a name and data, data alone being a message", async () => {
    const text = 'event: next\ndata: {"a":1}\n\ndata: x\n\nevent: complete\ndata:\n\n';
    assert.deepEqual(await read([bytes(text)]), [
      { event: "next", data: '{"a":1}' },
      { event: "message", data: "x" },
      { event: "complete", data: "" },
    ]);
  });

  it("joins data lines and leaves out comments, ids, and what is not finished", async () => {
    assert.deepEqual(await read([bytes(":\n\nid: 7\ndata: a\ndata:b\n: ping\n\ndata: lost")]), [
      { event: "message", data: "a\nb" },
    ]);
  });

  it("reads the same events however the bytes are cut, with any of the three line ends", async () => {
    const event = fc.record({
      event: fc.stringMatching(/^[a-z]{1,8}$/),
      data: fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 5 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (events, end, sizes) => {
          const clean = events.map(({ event, data }) => ({
            event,
            data: data.map((line) => line.replaceAll(/[\r\n]/g, "")),
          }));
          const text = clean.map(({ event, data }) =>
            [`event: ${event}`, ...data.map((line) => `data: ${line}`), "", ""].join(end),
          );
          const whole = bytes(`${text.join("")}:`);
          const chunks: Uint8Array[] = [];
          for (let at = 0, i = 0; at < whole.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            chunks.push(whole.subarray(at, at + size));
            at += size;
          }
          const expected = clean.map(({ event, data }) => ({ event, data: data.join("\n") }));
          assert.deepEqual(await read(chunks), expected);
        },
      ),
    );
  });

  it("is refused when one event is longer than allowed", async () => {
    await assert.rejects(read([bytes(`data: ${"x".repeat(100)}`), bytes("x".repeat(100))], 150), RangeError);
    await assert.rejects(
      read([bytes(`data: ${"x".repeat(80)}\ndata: ${"x".repeat(80)}\n\n`)], 150),
      RangeError,
    );
    for (const line of ["data\n", "data:\n", "id\n", "event:\n"]) {
      await assert.rejects(read([bytes(line.repeat(150))], 150), RangeError);
    }
  });

  it("is not refused for many short events, nor for the comments that keep it alive between two", async () => {
    assert.equal((await read([bytes(`${":\n".repeat(50)}data: x\n\n`.repeat(100))], 20)).length, 100);
  });
});
