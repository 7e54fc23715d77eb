import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { editDistance, nearest } from "./nearest.ts";

describe("the nearest name", () => {
  test("is the one with the fewest edits, if these are few", () => {
    assert.equal(nearest("listn", ["services", "listen", "list"]), "listen");
    assert.equal(nearest("protcool", ["protocol", "proto"]), "protocol");
    assert.equal(nearest("LISTEN", ["listen"]), "listen");
    assert.equal(nearest("zzz", ["listen"]), undefined);
    assert.equal(nearest("a".repeat(1_000_000), ["a"]), undefined);
  });

  test("is else the one that ends with it", () => {
    assert.equal(nearest("ingress", ["mesh.listen.egress.x", "mesh.listen.ingress"]), "mesh.listen.ingress");
  });

  test("is measured symmetrically, by zero only for the same name, and never over the longer length", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert.ok(distance <= Math.max(a.length, b.length));
      }),
    );
  });

  test("counts a swap of neighbours as one edit", () => assert.equal(editDistance("ab", "ba"), 1));
});
