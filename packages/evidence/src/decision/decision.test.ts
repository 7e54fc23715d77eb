import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import { type Decision, decodeDecision, encodeDecision, renderDecision } from "@catalyst/evidence";
import { cidOfBlock, decodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { fromHex, toHex } from "../../../wire/test/hex.ts";
import { hostileBytes } from "../../../wire/test/mutation.ts";
import { type Notation, toNotation } from "../../../wire/test/notation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { refusal } from "../../test/refusal.ts";

type Good = { readonly value: Notation; readonly hex: string; readonly cid: string; readonly text: string[] };

const good = readCases<Good>("evidence-decision/good.json");
const bad = readCases<{ readonly hex: string; readonly code: string }>("evidence-decision/bad.json");

describe("the vectors of spec/evidence.md §6", () => {
  for (const { name, value, hex, cid, text } of good) {
    test(`${name}: read, written as the same bytes, named and shown as it should be`, () => {
      const bytes = fromHex(hex);
      const decision = decodeDecision(bytes);
      assert.deepEqual(toNotation(decodeCbor(bytes)), value);
      assert.equal(toHex(encodeDecision(decision)), hex);
      assert.equal(cidOfBlock(bytes, "cbor"), cid);
      assert.deepEqual(renderDecision(decision).split("\n"), text);
    });
  }
  for (const { name, hex, code } of bad) {
    test(`${name}: refused as ${code}`, async () => {
      assert.equal(await refusal(() => decodeDecision(fromHex(hex))), code);
    });
  }
});

const inputOf = (number: number) => cidOfBlock(hash("sha256", String(number), "buffer"), "cbor");

test("equal decisions have equal bytes, in whichever order their inputs were found", () => {
  const shuffled = fc
    .uniqueArray(fc.nat(50), { minLength: 1, maxLength: 12 })
    .chain((numbers) =>
      fc.tuple(fc.constant(numbers), fc.shuffledSubarray(numbers, { minLength: numbers.length })),
    );
  fc.assert(
    fc.property(shuffled, ([numbers, others]) => {
      assert.equal(
        toHex(encodeDecision(madeOf(numbers, numbers))),
        toHex(encodeDecision(madeOf(others, numbers))),
      );
    }),
  );
});

/** One step for each of `rules`, resting on the input of its number wherever that stands. */
function madeOf(inputs: readonly number[], rules: readonly number[]): Decision {
  return {
    question: { kind: "test" },
    asOf: 0,
    inputs: inputs.map(inputOf),
    steps: rules.map((rule) => ({ rule: `rule ${rule}`, outcome: "yes", inputs: [inputs.indexOf(rule)] })),
    result: null,
  };
}

test("an input that is given twice counts once", () => {
  const twice = { ...madeOf([1, 2], [1]), inputs: [inputOf(2), inputOf(1), inputOf(2)] };
  const steps = [{ rule: "r", outcome: "o", inputs: [0, 2] }];
  const once = { ...madeOf([1, 2], [1]), inputs: [inputOf(1), inputOf(2)] };
  const bytes = encodeDecision({ ...twice, steps });
  assert.deepEqual(bytes, encodeDecision({ ...once, steps: [{ rule: "r", outcome: "o", inputs: [1] }] }));
});

test("a decision that no reader would accept is not written", async () => {
  const large = { ...madeOf([1], [1]), result: "x".repeat(262_144) };
  assert.equal(await refusal(() => encodeDecision(large)), "too_large");
  const astray = { ...madeOf([1], [1]), steps: [{ rule: "r", outcome: "o", inputs: [1] }] };
  assert.equal(await refusal(() => encodeDecision(astray)), "schema_mismatch");
});

test("whatever is accepted is written as the same bytes; other bytes are refused with a code", async () => {
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex));
  await fc.assert(
    fc.asyncProperty(hostileBytes(seeds), async (bytes) => {
      await refusal(() => {
        const decision = decodeDecision(bytes);
        assert.deepEqual(encodeDecision(decision), bytes);
        assert.ok(renderDecision(decision).length > 0);
      });
    }),
    { numRuns: 3_000 },
  );
});

test("no control character reaches the terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), (text) => {
      const shown = renderDecision({
        question: { kind: text, other: text },
        asOf: 0,
        inputs: [],
        steps: [{ rule: text, outcome: text }],
        result: [text],
      });
      assert.doesNotMatch(shown.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
      assert.equal(shown.split("\n").length, 4);
    }),
  );
});
