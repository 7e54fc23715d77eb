import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { beginPlan, claimNext, claimOf, isWhole, type Plan, received, release, withSize } from "./plan.ts";
import { addRange, bytesIn, endFrom, missingIn, type RangeSet } from "./ranges.ts";

const unit = 256 * 1024;

const rangeOf = (most: number) =>
  fc
    .tuple(fc.nat(most), fc.nat(most))
    .map(([one, other]) => ({ from: Math.min(one, other), to: Math.max(one, other) }));

/** The set as one boolean for each byte. */
function bitsOf(set: RangeSet, length: number): boolean[] {
  return Array.from({ length }, (_, at) => set.some(({ from, to }) => from <= at && at < to));
}

test("A set of ranges is what a list of bytes would be", () => {
  fc.assert(
    fc.property(fc.array(rangeOf(40)), rangeOf(40), fc.nat(40), (ranges, asked, position) => {
      const set = ranges.reduce<RangeSet>(addRange, []);
      const bits = bitsOf(ranges, 41);
      assert.deepEqual(bitsOf(set, 41), bits);
      for (const [at, { from, to }] of set.entries()) assert.ok(from < to && from > (set[at - 1]?.to ?? -1));
      assert.equal(bytesIn(set), bits.filter(Boolean).length);
      const isMissing = bits.map((bit, at) => !bit && asked.from <= at && at < asked.to);
      assert.deepEqual(bitsOf(missingIn(set, asked), 41), isMissing);
      const end = bits.findIndex((bit, at) => at >= position && !bit);
      assert.equal(endFrom(set, position), end);
    }),
  );
});

/** The plan as a map of units: "here", the source that fetches it, or null. */
type Model = ("here" | number | null)[];

function modelOf({ have, claims }: Plan, units: number): Model {
  return Array.from({ length: units }, (_, at) => {
    const isIn = (from: number, to: number) => from <= at * unit && (at + 1) * unit <= to;
    const holders = claims.filter((claim) => isIn(claim.at, claim.to)).map(({ source }) => source);
    const isHere = have.some(({ from, to }) => isIn(from, to));
    assert.ok(holders.length + Number(isHere) <= 1, "nobody fetches what another fetches, or what is here");
    return isHere ? "here" : (holders[0] ?? null);
  });
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("claim"), source: fc.nat(3), isLate: fc.boolean(), units: fc.constant(0) }),
  fc.record({
    kind: fc.constant("receive"),
    source: fc.nat(3),
    isLate: fc.constant(false),
    units: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    kind: fc.constant("release"),
    source: fc.nat(3),
    isLate: fc.constant(false),
    units: fc.constant(0),
  }),
);

test("Whoever claims, sends, fails and takes over: each byte is one source's, none is lost, and one that sends ends it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.array(rangeOf(60)),
      fc.array(step),
      (units, ranges, steps) => {
        const size = units * unit;
        const within = ranges.map(({ from, to }) => ({
          from: Math.min(from, units) * unit,
          to: Math.min(to, units) * unit,
        }));
        let plan = withSize(
          beginPlan(within.reduce<RangeSet>(addRange, []), Number.POSITIVE_INFINITY, 8 * unit),
          size,
        );
        let model = modelOf(plan, units);
        for (const { kind, source, isLate, units: sent } of steps) {
          const before = model;
          if (kind === "claim" && claimOf(plan, source) === undefined) {
            const claimed = claimNext(plan, source, isLate);
            plan = claimed?.plan ?? plan;
            model = modelOf(plan, units);
            const mine = model.flatMap((holder, at) => (holder === source ? [at] : []));
            assert.equal(mine.length > 0, claimed !== null);
            if (before.includes(null)) {
              assert.equal(mine[0], before.indexOf(null));
              assert.ok(mine.length <= 8 && mine.every((at) => before[at] === null));
            } else {
              assert.ok(mine.every((at) => before[at] === claimed?.takenFrom));
            }
          } else if (kind === "receive") {
            plan = received(plan, source, sent * unit);
            model = modelOf(plan, units);
            const mine = before.flatMap((holder, at) => (holder === source ? [at] : [])).slice(0, sent);
            assert.deepEqual(
              model,
              before.map((holder, at) => (mine.includes(at) ? "here" : holder)),
            );
          } else if (kind === "release") {
            plan = release(plan, source);
            model = modelOf(plan, units);
            assert.deepEqual(
              model,
              before.map((holder) => (holder === source ? null : holder)),
            );
          }
          assert.equal(
            isWhole(plan),
            model.every((holder) => holder === "here"),
          );
        }
        for (let rounds = 0; !isWhole(plan); rounds++) {
          assert.ok(rounds < 100, "a source that sends comes to the end, whatever the others do");
          plan = claimNext(release(plan, 9), 9, true)?.plan ?? plan;
          plan = received(plan, 9, size);
        }
      },
    ),
  );
});

test("A source that was found silent takes nothing from others until it has sent something", () => {
  const claim = (of: Plan, source: number) => {
    const claimed = claimNext(of, source, true);
    assert.ok(claimed !== null);
    return claimed.plan;
  };
  const begun = withSize(beginPlan([], Number.POSITIVE_INFINITY, 100 * unit), 100 * unit);
  const taken = claim(claim(begun, 0), 1);
  assert.deepEqual(claimOf(taken, 0)?.to, 50 * unit);
  const lost = release(taken, 0);
  assert.equal(claimNext(lost, 0, true)?.claim.at, 0); // What nobody fetches is for everybody.
  const helped = claim(lost, 2);
  assert.equal(claimNext(helped, 0, true), null);
  const heard = release(received(claim(lost, 0), 0, unit), 0);
  assert.notEqual(claimNext(claim(heard, 2), 0, true), null);
});
