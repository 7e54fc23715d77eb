import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/** A file with everything that it imports, directly or not; modules that are no files as they are named. */
function reach(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!path.endsWith(".ts")) return seen;
  for (const [, name = ""] of readFileSync(path, "utf8").matchAll(/ from "([^"]+)"/g)) {
    reach(name.startsWith(".") ? join(dirname(path), name) : name, seen);
  }
  return seen;
}

test("the portable door needs no module and no global of Node", () => {
  const reached = [...reach(join(import.meta.dirname, "portable.ts"))];
  assert.ok(reached.length >= 8, "the imports are found");
  assert.deepEqual(
    reached.filter((path) => !path.endsWith(".ts")),
    [],
  );
  for (const path of reached) {
    const code = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(code, /\b(?:Buffer|process|require)\b/, path);
  }
});
