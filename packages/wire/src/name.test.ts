import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  belongsTo,
  domainPattern,
  isLabel,
  isName,
  isNodeName,
  isWithin,
  labelPattern,
  namePattern,
  nodeNamePattern,
} from "./name.ts";

const long = "a".repeat(63);
const names = [
  "a",
  "7",
  "n1.acme.internal",
  "a-b.c",
  "a--b",
  long,
  `${long}.${long}.${long}.${"a".repeat(61)}`,
];
const none = ["", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a-.b", "A", "ä", "a_b", `${long}a`];

test("a name is labels of letters, digits and inner hyphens with dots between, and has at most 253 characters", () => {
  for (const name of names) assert.ok(isName(name), name);
  for (const name of none) assert.ok(!isName(name), name);
  assert.ok(!isName(`${long}.${long}.${long}.${"a".repeat(62)}`));
  for (const value of [null, 7, ["a"]]) assert.ok(!isName(value));
});

test("the patterns say the same as the functions, but for the length of the whole", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "z", "0", "-", ".", "A", "_"), maxLength: 12 });
  fc.assert(
    fc.property(fc.oneof(text, fc.constantFrom(...names, ...none)), (each) => {
      assert.equal(namePattern.test(each), isName(each));
      assert.equal(nodeNamePattern.test(each), isNodeName(each));
      assert.equal(labelPattern.test(each), isLabel(each) && /^[a-z]/.test(each));
      assert.equal(domainPattern.test(each), isNodeName(each) && each.length <= 200);
    }),
  );
});

test("a name is within itself and those above it, and belongs to the one that is a label above it", () => {
  assert.ok(isWithin("acme.internal", "acme.internal") && isWithin("a.b.acme.internal", "acme.internal"));
  assert.ok(!isWithin("evil-acme.internal", "acme.internal") && !isWithin("internal", "acme.internal"));
  assert.ok(belongsTo("n1.acme.internal", "acme.internal"));
  for (const name of ["acme.internal", "a.n1.acme.internal", "n1-acme.internal", ".acme.internal"]) {
    assert.ok(!belongsTo(name, "acme.internal"), name);
  }
});
