import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../test/hex.ts";
import { costlyBytes, hostileBytes, msOf, refusal } from "../../test/mutation.ts";
import { fromNotation, type Notation, toNotation } from "../../test/notation.ts";
import { readCases, readVectors } from "../../test/vectors.ts";
import { WireError } from "../errors.ts";
import { decodeCbor } from "./decode.ts";
import { encodeCbor } from "./encode.ts";
import { type CborLimits, CborTag } from "./value.ts";

type Good = { readonly value: Notation; readonly hex: string };
type Bad = {
  readonly hex: string;
  readonly code: string;
  readonly at?: number;
  readonly limits?: CborLimits;
};
type Example = { readonly hex: string };

const good = readCases<Good>("cbor/good.json");
const bad = readCases<Bad>("cbor/bad.json");

describe("the vectors of spec/wire.md §1", () => {
  for (const { name, value, hex } of good) {
    test(`${name}: decoding and encoding give the same bytes, encoding the value gives them too`, () => {
      const bytes = fromHex(hex);
      const decoded = decodeCbor(bytes);
      assert.equal(toHex(encodeCbor(decoded)), hex);
      assert.equal(toHex(encodeCbor(fromNotation(value))), hex);
      assert.deepEqual(sortMaps(toNotation(decoded)), sortMaps(value));
    });
  }
  for (const { name, hex, code, at, limits } of bad) {
    test(`${name}: refused as ${code}`, () => {
      assert.throws(
        () => decodeCbor(fromHex(hex), limits),
        (error) => error instanceof WireError && error.code === code && error.evidence.at === at,
      );
    });
  }
});

describe("the examples of RFC 8949, appendix A", () => {
  const examples = readVectors<readonly Example[]>("rfc8949/appendix-a.json");
  const { refused } = readVectors<{ refused: Record<string, string> }>("rfc8949/refused.json");
  test("are 82, of which the profile accepts 35", () => {
    assert.equal(examples.length, 82);
    assert.equal(Object.keys(refused).length, 82 - 35);
  });
  for (const { hex } of examples) {
    const code = refused[hex];
    test(code === undefined ? `${hex} survives unchanged` : `${hex} is refused as ${code}`, () => {
      const bytes = fromHex(hex);
      if (code === undefined) assert.equal(toHex(encodeCbor(decodeCbor(bytes))), hex);
      else
        assert.equal(
          refusal(() => decodeCbor(bytes)),
          code,
        );
    });
  }
});

test("a tag is read as a CborTag, a map as a Map, a byte string as a plain view into the input", () => {
  const bytes = Buffer.from("d281a10142abcd", "hex");
  const value = decodeCbor(bytes);
  assert.ok(value instanceof CborTag && value.tag === 18);
  const [map] = value.value as readonly unknown[];
  assert.ok(map instanceof Map);
  const view = map.get(1);
  assert.ok(view instanceof Uint8Array && !(view instanceof Buffer));
  bytes[5] = 0xff;
  assert.deepEqual(view, Uint8Array.of(0xff, 0xcd));
});

test("whatever is accepted encodes to the same bytes, and nothing else than a WireError is thrown", () => {
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex));
  let accepted = 0;
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      let value: ReturnType<typeof decodeCbor>;
      try {
        value = decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
        return;
      }
      accepted++;
      assert.equal(toHex(encodeCbor(value)), toHex(bytes));
    }),
    { numRuns: 20_000 },
  );
  assert.ok(accepted > 100, `${accepted} were accepted`);
});

test("the depth that hostile bytes ask for is refused before the stack is spent", () => {
  const deep = new Uint8Array(1_000_000).fill(0x81);
  assert.equal(
    refusal(() => decodeCbor(deep)),
    "cbor_too_deep",
  );
});

test("twenty bytes that promise 2^40 items, or 2^40 bytes, take no memory", () => {
  for (const head of [
    "9b0000010000000000",
    "bb0000010000000000",
    "5b0000010000000000",
    "7b0000010000000000",
  ]) {
    const bytes = fromHex(head.padEnd(40, "0"));
    const before = process.memoryUsage();
    for (let round = 0; round < 1_000; round++)
      assert.equal(
        refusal(() => decodeCbor(bytes)),
        "cbor_truncated",
      );
    const after = process.memoryUsage();
    assert.ok(after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers < 16e6, head);
  }
});

for (const length of [4_096, 65_536, 1_048_576]) {
  test(`what ${length} bytes can ask for takes a time in proportion`, async () => {
    for (const [name, bytes] of Object.entries(costlyBytes(length))) {
      const ms = await msOf(() => refusal(() => decodeCbor(bytes)));
      assert.ok(ms < 10 + length / 5_000, `${name}: ${ms} ms`);
    }
  });
}

test("hostile bytes take no more memory than the limit of items allows", () => {
  const maps = new Uint8Array(1_000_005).fill(0xa0);
  maps.set([0x9a, 0x00, 0x0f, 0x42, 0x40]);
  const before = process.memoryUsage().heapUsed;
  assert.equal(
    refusal(() => decodeCbor(maps)),
    "cbor_too_many_items",
  );
  assert.ok(process.memoryUsage().heapUsed - before < 40e6);
});

/** Maps of the vectors stand in any order. */
function sortMaps(notation: Notation): Notation {
  return toNotation(decodeCbor(encodeCbor(fromNotation(notation))));
}
