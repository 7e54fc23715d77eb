import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Fault } from "./fault.ts";
import { MAX_JSON_DEPTH, readJson } from "./json-text.ts";
import { plainValue } from "./raw.ts";

function read(text: string): { value: unknown; faults: Fault[] } {
  const faults: Fault[] = [];
  const at = (offset: number) => ({ kind: "file", path: "f", line: 1, column: offset + 1 }) as const;
  const { raw } = readJson({ text, key: "", at }, (fault) => void faults.push(fault));
  return { value: plainValue(undefined, raw), faults };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("JSON", () => {
  test("is read as JSON.parse reads it", () => {
    const json = fc
      .json({ maxDepth: 5 })
      .filter((text) => !text.includes("__proto__") && !text.includes("-0"));
    fc.assert(
      fc.property(json, (text) => {
        const { value, faults } = read(text);
        assert.deepEqual(faults, []);
        assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test("that JSON.parse refuses is refused, whatever is wrong with it", () => {
    const edit = fc.tuple(
      fc.json({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom(..."{}[],:\"\\/ \n\t\u00a01-.e+tfnu*'", ""),
    );
    fc.assert(
      fc.property(edit, ([text, position, piece]) => {
        const at = position % (text.length + 1);
        const edited = text.slice(0, at) + piece + text.slice(at + 1);
        if (!isJson(edited)) assert.notDeepEqual(read(edited).faults, [], edited);
      }),
      { numRuns: 5000 },
    );
  });

  const refused: [text: string, problem: string, column: number][] = [
    ['{"a":1,}', "has a comma after the last entry, which JSON does not know", 8],
    ['{"a":1 // why\n}', "has a comment, which JSON does not know", 8],
    ['{"a":1,"a":2}', 'has the name "a" twice in one object', 8],
    ['{"__proto__":{"a":1}}', 'has the name "__proto__", which no option has', 2],
    ['{"a":01}', "is not JSON: a comma is expected here", 7],
    [
      "{'a':1}",
      "is not JSON: names and texts stand in double quotes, and only true, false and null stand without",
      2,
    ],
    ['{"a":"b', "is not JSON: this text has no closing quote on its line", 6],
    ["", "is not JSON: a value is expected here", 1],
  ];
  for (const [text, problem, column] of refused) {
    test(`${JSON.stringify(text)} is refused at column ${column}`, () => {
      const { faults } = read(text);
      assert.equal(faults[0]?.problem, problem);
      assert.deepEqual(faults[0]?.source, { kind: "file", path: "f", line: 1, column });
    });
  }

  test("with a comment or a trailing comma is still read for its values", () => {
    const { value, faults } = read('{/* one */ "a":[1,],}');
    assert.equal(faults.length, 3);
    assert.equal(JSON.stringify(value), '{"a":[1]}');
  });

  test(`may be ${MAX_JSON_DEPTH} levels deep, and millions of levels do not break the reader`, () => {
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    assert.deepEqual(read(deep(MAX_JSON_DEPTH)).faults, []);
    assert.equal(read(deep(MAX_JSON_DEPTH + 1)).faults[0]?.problem, "is nested deeper than 64 levels");
    assert.equal(read("[".repeat(4_000_000)).faults.length, 1);
    assert.equal(read('{"a":'.repeat(1_000_000)).faults.length, 1);
  });

  test("does not reach any prototype", () => {
    const { value } = read('{"constructor":{"prototype":{"x":1}},"toString":2}');
    assert.equal(JSON.stringify(value), '{"constructor":{"prototype":{"x":1}},"toString":2}');
    assert.equal(Reflect.get({}, "x"), undefined);
  });
});
