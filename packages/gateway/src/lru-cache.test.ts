import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LruCache } from "./lru-cache.ts";

describe("a cache bounded by memory", () => {
  it("keeps what was used last", () => {
    const cache = new LruCache<string, number>({ maxBytes: 30 });
    for (const [value, key] of ["a", "b", "c"].entries()) cache.set(key, value, 10);
    assert.equal(cache.get("a"), 0);
    cache.set("d", 3, 10);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => cache.get(key)),
      [0, undefined, 2, 3],
    );
  });

  it("takes the place of a value that is set anew, and of one that is deleted", () => {
    const cache = new LruCache<string, number>({ maxBytes: 30 });
    cache.set("a", 1, 30);
    cache.set("a", 2, 20);
    cache.set("b", 3, 10);
    assert.deepEqual([cache.get("a"), cache.get("b")], [2, 3]);
    cache.delete("a");
    cache.set("c", 4, 20);
    assert.deepEqual([cache.get("a"), cache.get("b"), cache.get("c")], [undefined, 3, 4]);
  });

  it("keeps what fits, never more, and drops nothing for what is too large", () => {
    const sets = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 60 })));
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 50 }), (entries, maxEntryBytes) => {
        const cache = new LruCache<number, number>({ maxBytes: 100, maxEntryBytes });
        // The sizes of the entries that must be there, the one used last at the end.
        const model = new Map<number, number>();
        for (const [key, bytes] of entries) {
          cache.set(key, bytes, bytes);
          model.delete(key);
          if (bytes <= maxEntryBytes) model.set(key, bytes);
          for (const oldest of model.keys()) {
            if (model.values().reduce((sum, each) => sum + each, 0) <= 100) break;
            model.delete(oldest);
          }
        }
        for (let key = 0; key <= 9; key++) assert.equal(cache.get(key), model.get(key));
      }),
    );
  });
});
