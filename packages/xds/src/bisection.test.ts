import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitRejected } from "./bisection.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);

test("the groups hold every rejected name once, and each is smaller than what was rejected", () => {
  const names = fc.uniqueArray(name, { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(names, fc.string(), fc.array(fc.nat(59)), (all, text, picks) => {
      const message = [text, ...picks.map((at) => all[at] ?? "")].join(" ");
      const groups = splitRejected(all, message);
      assert.deepEqual(groups.flat().sort(), [...all].sort());
      for (const group of groups) assert.ok(group.length > 0 && group.length < all.length);
    }),
  );
});

test("a name counts only where it stands as a word", () => {
  assert.deepEqual(splitRejected(["a", "ab", "c"], "cluster ab: no"), [["a", "c"], ["ab"]]);
  assert.deepEqual(splitRejected(["a", "ab", "c"], "unable"), [["a", "ab"], ["c"]]);
  assert.deepEqual(splitRejected(["a.b", "a", "c"], "'a.b' is bad."), [["a", "c"], ["a.b"]]);
  assert.deepEqual(splitRejected(["x", "y"], "it is x."), [["y"], ["x"]]);
});
