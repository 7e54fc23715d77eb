import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readPairs, writePairs } from "./item-text.ts";

function pairs(text: string, json = false): [path: string, text: string][] | string {
  const reading = readPairs(text, () => json);
  return "problem" in reading ? reading.problem : reading.pairs.map((pair) => [pair.path, pair.text]);
}

describe("an item's pairs", () => {
  const read: [text: string, expected: [string, string][]][] = [
    [
      "name=a,url=http://h/?x=1",
      [
        ["name", "a"],
        ["url", "http://h/?x=1"],
      ],
    ],
    [
      'name=a,url="http://h/a,b"',
      [
        ["name", "a"],
        ["url", "http://h/a,b"],
      ],
    ],
    [
      'a="x \\"y\\" \\\\ \\u00fc\n",b=c',
      [
        ["a", 'x "y" \\ ü\n'],
        ["b", "c"],
      ],
    ],
    [
      " a = b c , d.e = f ",
      [
        ["a", "b c"],
        ["d.e", "f"],
      ],
    ],
    [
      "a=,b=",
      [
        ["a", ""],
        ["b", ""],
      ],
    ],
    [
      "a=[::1]:80,b=c",
      [
        ["a", "[::1]:80"],
        ["b", "c"],
      ],
    ],
  ];
  for (const [text, expected] of read) {
    test(`are read from ${JSON.stringify(text)}`, () => assert.deepEqual(pairs(text), expected));
  }

  test("hold JSON where the field takes it", () => {
    assert.deepEqual(pairs('a=["x,]",{"b":"\\"]"}],c={}', true), [
      ["a", '["x,]",{"b":"\\"]"}]'],
      ["c", "{}"],
    ]);
  });

  const refused: [text: string, problem: string][] = [
    ["", "is not NAME=VALUE"],
    ["a", "is not NAME=VALUE"],
    ["a=b,", "is not NAME=VALUE"],
    ["a=b,c,d=e", "is not NAME=VALUE"],
    ['a="b', "has a quote that is not closed"],
    ['a="b"c', "follows a value without a comma between"],
    ['a="\\q"', 'has a backslash that is not followed by one of "\\/bfnrtu'],
    ['a="\\\n"', 'has a backslash that is not followed by one of "\\/bfnrtu'],
  ];
  for (const [text, problem] of refused) {
    test(`are refused in ${JSON.stringify(text)}`, () => assert.equal(pairs(text), problem));
  }

  test("with an open bracket are refused", () =>
    assert.equal(pairs('a=["]"', true), "has a bracket that is not closed"));

  test("read back as they were written, whatever the values hold", () => {
    const path = fc.stringMatching(/^[a-z]{1,5}(\.[a-z]{1,5})?$/);
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[-,="'\\[\]{} a\n]*$/));
    const pair = fc.record({ path, text, quoted: fc.constant(true) });
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1 }), fc.boolean(), (written, json) => {
        assert.deepEqual(
          pairs(writePairs(written), json),
          written.map((one) => [one.path, one.text]),
        );
      }),
    );
  });
});
