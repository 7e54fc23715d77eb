import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileGlob } from "./glob.ts";

/** The same by backtracking, which is plainly right and slow. */
function matches(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  if (pattern[0] === "*") {
    return matches(pattern.slice(1), name) || (name !== "" && matches(pattern, name.slice(1)));
  }
  return name[0] === pattern[0] && matches(pattern.slice(1), name.slice(1));
}

test("a pattern takes what it takes by trying all ways", () => {
  const of = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 });
  fc.assert(
    fc.property(of("ab*"), of("ab"), (pattern, name) => {
      assert.equal(compileGlob(pattern)?.(name) ?? true, matches(pattern, name));
    }),
    { numRuns: 5_000 },
  );
});

test("a pattern of many stars takes no longer than the name is long", () => {
  const test = compileGlob(`${"a*".repeat(200)}b`);
  const start = performance.now();
  for (let times = 0; times < 1_000; times++) assert.equal(test?.("a".repeat(253)), false);
  assert.ok(performance.now() - start < 1_000);
});
