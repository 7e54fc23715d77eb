import assert from "node:assert/strict";
import { test } from "node:test";
import {
  planRotation,
  type RotatingKey,
  type RotationStep,
  type RotationTimings,
  removedAt,
  rotated,
  waitsUntil,
} from "@catalyst/identity";
import fc from "fast-check";

const timings: RotationTimings = { rotateAfterMs: 1_000, publishAheadMs: 100, lingerMs: 10 };

/** A set of keys that is rotated, in virtual time. */
class Keys {
  now = 0;
  all: readonly RotatingKey[] = [];
  /** When each key was published first. */
  readonly published = new Map<string, number>();
  #made = 0;

  rotate(asked = false): RotationStep["kind"][] {
    const steps = planRotation(this.all, this.now, timings, asked);
    for (const step of steps) {
      const made = `k${step.kind === "make" ? ++this.#made : 0}`;
      this.all = rotated(this.all, step, this.now, made);
      if (step.kind === "make") this.published.set(made, this.now);
    }
    return steps.map(({ kind }) => kind);
  }

  /** A token of the key that signs. */
  sign(ttlMs: number): { kid: string; expiresAt: number } {
    const { kid } = this.inState("signing");
    const expiresAt = this.now + ttlMs;
    this.all = this.all.map((key) =>
      key.kid === kid ? { ...key, signedUntil: Math.max(key.signedUntil, expiresAt) } : key,
    );
    return { kid, expiresAt };
  }

  inState(state: RotatingKey["state"]): RotatingKey {
    const found = this.all.filter((key) => key.state === state);
    assert.equal(found.length, 1, `${found.length} keys are ${state}`);
    return found[0] as RotatingKey;
  }
}

test("the first start makes a key that signs and one that waits, and then nothing is due", () => {
  const keys = new Keys();
  assert.deepEqual(keys.rotate(), ["make", "make"]);
  assert.deepEqual(keys.rotate(), []);
  assert.equal(keys.inState("signing").kid, "k1");
  assert.equal(keys.inState("next").kid, "k2");
});

test("a key that is old enough verifies until what it signed has expired, and a while longer", () => {
  const keys = new Keys();
  keys.rotate();
  keys.now = 900;
  keys.sign(500);
  keys.now = 1_000;
  assert.deepEqual(keys.rotate(), ["promote", "make"]);
  assert.equal(keys.inState("signing").kid, "k2");
  assert.equal(keys.inState("verifying").kid, "k1");
  assert.equal(removedAt(keys.inState("verifying"), timings), 1_410);
  keys.now = 1_409;
  assert.deepEqual(keys.rotate(), []);
  keys.now = 1_410;
  assert.deepEqual(keys.rotate(), ["remove"]);
});

test("a key that signed nothing is removed with the next look", () => {
  const keys = new Keys();
  keys.rotate();
  keys.now = 1_000;
  keys.rotate();
  assert.deepEqual(keys.rotate(), ["remove"]);
});

test("a rotation by hand waits until the next key was published long enough", () => {
  const keys = new Keys();
  keys.rotate();
  keys.now = 99;
  assert.deepEqual(keys.rotate(true), []);
  assert.equal(waitsUntil(keys.inState("next"), timings), 100);
  keys.now = 100;
  assert.deepEqual(keys.rotate(true), ["promote", "make"]);
});

test("when the key that signed is lost, the one that waits signs at once", () => {
  const keys = new Keys();
  keys.rotate();
  keys.all = keys.all.filter(({ state }) => state !== "signing");
  assert.deepEqual(keys.rotate(), ["promote", "make"]);
  assert.equal(keys.inState("signing").kid, "k2");
  keys.all = [];
  assert.deepEqual(keys.rotate(), ["make", "make"]);
});

test("at any moment one key signs, which was published long enough before, and all that has not expired verifies", () => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ kind: fc.constant("sign" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ kind: fc.constant("look" as const), asked: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      const keys = new Keys();
      keys.rotate();
      const tokens: { kid: string; expiresAt: number }[] = [];
      for (const each of happenings) {
        if (each.kind === "wait") keys.now += each.ms;
        else if (each.kind === "sign") tokens.push(keys.sign(each.ms));
        else keys.rotate(each.asked);
        const { kid } = keys.inState("signing");
        keys.inState("next");
        const publishedAt = keys.published.get(kid) ?? Number.NaN;
        assert.ok(kid === "k1" || keys.now - publishedAt >= timings.publishAheadMs, `${kid} came too early`);
        for (const token of tokens) {
          const isPublished = keys.all.some((key) => key.kid === token.kid);
          assert.ok(isPublished || token.expiresAt <= keys.now, `${token.kid} went too early`);
        }
      }
    }),
    { numRuns: 500 },
  );
});
