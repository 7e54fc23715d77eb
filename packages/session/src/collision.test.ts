import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readCases } from "../../wire/test/vectors.ts";
import { survivor } from "./collision.ts";

type Case = {
  readonly own: string;
  readonly peer: string;
  readonly incarnation: string;
  readonly rival: { readonly dialledBy: "own" | "peer"; readonly incarnation: string | null };
  readonly stays: "newcomer" | "rival";
};

describe("the vectors of spec/session.md §6", () => {
  for (const { name, own, peer, incarnation, rival, stays } of readCases<Case>(
    "session/collision/good.json",
  )) {
    test(`${name}: the ${stays} stays`, () => {
      const other = {
        role: rival.dialledBy === "own" ? "dialler" : "listener",
        incarnation: rival.incarnation,
      } as const;
      const found = survivor({ role: "listener", incarnation }, other, { own, peer });
      assert.equal(found, stays === "rival" ? "other" : "newcomer");
    });
  }
});

test("of two connections that were dialled at once both ends keep the same one", () => {
  for (const [a, b] of [
    ["n1", "n2"],
    ["n10", "n9"],
    ["a", "b"],
  ] as const) {
    // At b came the OPEN of a's connection, at a that of b's; each has its own in OpenSent.
    const own = { role: "dialler", incarnation: null } as const;
    const came = { role: "listener", incarnation: "00" } as const;
    const atB = survivor(came, own, { own: b, peer: a }) === "newcomer" ? "a's" : "b's";
    const atA = survivor(came, own, { own: a, peer: b }) === "newcomer" ? "b's" : "a's";
    assert.equal(atA, atB);
  }
});
