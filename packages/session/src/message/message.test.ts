import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CborInput, type CborValue, encodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { fromHex, toHex } from "../../../wire/test/hex.ts";
import { hostileBytes } from "../../../wire/test/mutation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { SessionError } from "../errors.ts";
import { decodeMessage, encodeMessage, type Message, type MessageKind, type MessageOf } from "./message.ts";

type Shown =
  | number
  | string
  | boolean
  | null
  | { readonly bytes: string }
  | readonly Shown[]
  | { readonly [key: string]: Shown };
type Good = {
  readonly kind: MessageKind;
  readonly hex: string;
  readonly members: { readonly [key: string]: Shown };
  readonly later?: true;
};

const good = readCases<Good>("session/message/good.json");
const bad = readCases<{ readonly hex: string; readonly code: string }>("session/message/bad.json");

/** The value that the vectors' notation stands for. */
function cborOf(shown: Shown): CborInput {
  if (typeof shown !== "object" || shown === null) return shown;
  if (Array.isArray(shown)) return shown.map(cborOf);
  if ("bytes" in shown) return fromHex(String(shown.bytes));
  return new Map(Object.entries(shown).map(([key, each]) => [Number(key), cborOf(each)]));
}

function rewritten({ kind, ...members }: Message): Uint8Array {
  return encodeMessage(kind, members as MessageOf[typeof kind]);
}

function refusal(bytes: Uint8Array): string | null {
  try {
    decodeMessage(bytes);
    return null;
  } catch (error) {
    if (error instanceof SessionError) return error.code;
    throw error;
  }
}

describe("the vectors of spec/session.md §4", () => {
  for (const { name, kind, hex, members, later } of good) {
    test(`${name}: read, and written alike`, () => {
      assert.equal(toHex(encodeCbor(cborOf(members))), hex);
      const message = decodeMessage(fromHex(hex));
      assert.equal(message.kind, kind);
      if (later === undefined) assert.equal(toHex(rewritten(message)), hex);
      else assert.notEqual(toHex(rewritten(message)), hex);
    });
  }
  for (const { name, hex, code } of bad) {
    test(`${name}: refused as ${code}`, () => assert.equal(refusal(fromHex(hex)), code));
  }
});

test("an OPEN says what its members say", () => {
  const first = good.find(({ kind }) => kind === "open");
  const open = decodeMessage(fromHex(first?.hex ?? ""));
  assert.ok(open.kind === "open");
  assert.equal(open.node, "n1.acme.catalyst.internal");
  assert.equal(open.domain, "acme.catalyst.internal");
  assert.equal(open.purpose, "control");
  assert.equal(open.holdMs, 15_000);
  assert.equal(open.maxFrameBytes, 1_048_576);
  assert.deepEqual(open.protocols, [
    { name: "cp", versions: [1], windowMessages: 1_024, windowBytes: 4_194_304 },
  ]);
  assert.deepEqual(open.capabilities, ["graceful-restart"]);
});

test("a code of a later version is read as unknown", () => {
  const later = decodeMessage(
    encodeCbor(
      new Map<number, CborValue>([
        [0, 6],
        [1, 4_000],
        [2, "why"],
      ]),
    ),
  );
  assert.deepEqual(later, { kind: "notification", code: "unknown", text: "why" });
});

test("the text of a NOTIFICATION is shown without what could move a terminal", () => {
  const text = "a\u001b[2J\u202eb\nc";
  const read = decodeMessage(encodeMessage("notification", { code: "stopped", text }));
  assert.ok(read.kind === "notification");
  assert.equal(read.text, "a\\u{1b}[2J\\u{202e}b\\u{a}c");
});

test("what is said of a member that there is none of holds nothing of its name", () => {
  const members = new Map<number | string, CborValue>([
    [0, 3],
    ["\u001b[2Jkept".repeat(500), 1],
  ]);
  assert.throws(
    () => decodeMessage(encodeCbor(members)),
    (error: Error) => {
      return (
        /a known member$/.test(error.message) && error.message.length < 100 && !/\p{Cc}/u.test(error.message)
      );
    },
  );
});

test("the text of a NOTIFICATION is cut to 512 bytes between characters, and what is no text is mended", () => {
  for (const text of ["é".repeat(400), "😀".repeat(200), `\ud800${"x".repeat(600)}`]) {
    const read = decodeMessage(encodeMessage("notification", { code: "stopped", text }));
    assert.ok(read.kind === "notification");
    assert.ok(Buffer.byteLength(read.text) > 508 && Buffer.byteLength(read.text) <= 512);
    assert.ok(text.toWellFormed().startsWith(read.text));
  }
});

test("what is read is a message that is written the same, or refused as message_malformed", () => {
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex)).filter(({ length }) => length < 600);
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      const code = refusal(bytes);
      if (code !== null) return assert.equal(code, "message_malformed");
      const message = decodeMessage(bytes);
      const again = decodeMessage(rewritten(message));
      if (message.kind !== "notification") assert.deepEqual(again, message);
      else assert.equal(again.kind, "notification");
    }),
    { numRuns: 5_000 },
  );
});

test("any payload passes unchanged", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), (payload) => {
      const read = decodeMessage(encodeMessage("message", { protocol: "cp", payload }));
      assert.ok(read.kind === "message");
      assert.deepEqual(read.payload, payload);
    }),
    { numRuns: 50 },
  );
});
