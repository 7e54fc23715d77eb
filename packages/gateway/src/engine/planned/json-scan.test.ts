import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Scan, scanBoolean, scanDecimal, scanInt, scanString, scanValue } from "./json-scan.ts";

const runs = { numRuns: 2_000 };

/** Where the scan says that a value ends which has nothing but a list's end behind it. */
function endOf(scan: Scan, json: string): number {
  return scan(Buffer.from(`${json}]`), 0);
}

describe("a scan", () => {
  it("finds the end of what JSON.stringify wrote", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.jsonValue(), (text, value) => {
        for (const [scan, json] of [
          [scanString, JSON.stringify(text)],
          [scanValue, JSON.stringify(value)],
        ] as const) {
          assert.equal(endOf(scan, json), Buffer.byteLength(json));
        }
      }),
      runs,
    ));

  it("finds nothing but what JSON.parse takes", () => {
    const pieces = fc.constantFrom(
      '"',
      "\\",
      "u",
      "n",
      "00e4",
      "é",
      "\t",
      "-",
      "0",
      "12",
      ".",
      "5",
      "e",
      "true",
      "fals",
      "e",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const json = parts.join("");
        for (const scan of [scanString, scanDecimal, scanInt, scanBoolean]) {
          const end = endOf(scan, json);
          if (end < 0 || end > Buffer.byteLength(json)) continue;
          assert.doesNotThrow(
            () => JSON.parse(Buffer.from(json).toString("utf8", 0, end)),
            `${json} to ${end}`,
          );
        }
      }),
      runs,
    );
  });

  it("takes for an Int what it holds in any case", () => {
    for (const [json, end] of [
      ["0", 1],
      ["-0", 2],
      ["999999999", 9],
      ["-999999999", 10],
      ["2147483647", -1],
      ["01", 1],
      ["-", -1],
      ["a", -1],
    ] as const) {
      assert.equal(endOf(scanInt, json), end, json);
    }
  });
});
