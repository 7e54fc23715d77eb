import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { copyOf, type DataObject, mergeInto } from "./data.ts";
import { FieldFailure } from "./field-failure.ts";

const leaf = fc.oneof(fc.constant(null), fc.integer(), fc.string(), fc.boolean());
const { object } = fc.letrec<{ object: DataObject; value: unknown }>((tie) => ({
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4 }),
  value: fc.oneof({ maxDepth: 3 }, leaf, tie("object"), fc.array(tie("object"), { maxLength: 3 })),
}));

const untyped = { is: () => false };
const merged = (...parts: readonly DataObject[]) => {
  const target: DataObject = {};
  for (const part of parts) mergeInto(target, copyOf(part), untyped);
  return target;
};

describe("joining answers", () => {
  it("is the same when an answer is joined twice", () => {
    fc.assert(
      fc.property(object, object, (first, second) => {
        assert.deepEqual(merged(first, second, second), merged(first, second));
      }),
    );
  });

  it("does not depend on the order of answers that agree", () => {
    fc.assert(
      fc.property(object, object, fc.func(fc.boolean()), (whole, _, choose) => {
        const [left, right] = [partOf(whole, choose, ""), partOf(whole, (path) => !choose(path), "")];
        assert.deepEqual(merged(left, right), merged(right, left));
      }),
    );
  });

  it("keeps a value where another answer has a failure or nothing", () => {
    const failure = new FieldFailure([]);
    for (const nothing of [null, undefined, failure]) {
      assert.deepEqual(merged({ a: 1 }, { a: nothing }), { a: 1 });
      assert.deepEqual(merged({ a: nothing }, { a: 1 }), { a: 1 });
    }
  });

  it("learns the type of an object that was known by its interface, and never forgets it", () => {
    const types = { is: (name: string, of: string) => name === "Book" && of === "Media" };
    for (const [first, second] of [
      ["Book", "Media"],
      ["Media", "Book"],
      ["Book", "Song"],
    ]) {
      const target: DataObject = { __typename: first };
      mergeInto(target, { __typename: second }, types);
      assert.equal(target["__typename"], "Book");
    }
  });

  it("leaves what it took from as it was, in a copy", () => {
    fc.assert(
      fc.property(object, object, (first, second) => {
        const before = JSON.stringify(first);
        mergeInto(copyOf(first), second, untyped);
        assert.equal(JSON.stringify(first), before);
      }),
    );
  });
});

/** Some of an object's leaves, the rest left out; lists keep their lengths. */
function partOf(value: DataObject, keeps: (path: string) => boolean, path: string): DataObject {
  const part: DataObject = {};
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}.${key}`;
    if (Array.isArray(inner)) {
      part[key] = inner.map((element, index) => partOf(element, keeps, `${at}.${index}`));
    } else if (typeof inner === "object" && inner !== null) {
      part[key] = partOf(inner as DataObject, keeps, at);
    } else if (keeps(at)) part[key] = inner;
  }
  return part;
}
