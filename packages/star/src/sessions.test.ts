import assert from "node:assert/strict";
import { test } from "node:test";
import { Sessions } from "./sessions.ts";

const sessions = (options: { most?: number; mostOfOne?: number } = {}) => {
  const time = { now: 1_000 };
  return { time, of: new Sessions({ token: "star", idleMs: 100, clock: () => time.now, ...options }) };
};

test("Each caller that knows the token has a session of its own, and nobody else has one", () => {
  const { of } = sessions();
  const [one, other] = [of.begin("star", "a"), of.begin("star", "a")];
  assert.ok(one !== null && other !== null && one !== other);
  for (const id of [one, other]) of.use(id);
  for (const token of ["", "sta", "star ", "STAR"]) assert.equal(of.begin(token, "a"), null);
  for (const id of [undefined, "", "star", one.slice(1)])
    assert.throws(() => of.use(id), { code: "session_missing" });
});

test("A session ends when it rests, and lives as long as it is used", () => {
  const { of, time } = sessions();
  const [used, idle] = [of.begin("star", "a") ?? "", of.begin("star", "a") ?? ""];
  for (let round = 0; round < 5; round++) {
    time.now += 60;
    of.use(used);
  }
  assert.throws(() => of.use(idle), { code: "session_missing" });
  assert.equal(of.count, 1);
});

test("There are only so many sessions, and only so many of one address: the one that rested longest gives way", () => {
  const { of } = sessions({ most: 3, mostOfOne: 2 });
  const begin = (address: string) => of.begin("star", address) ?? assert.fail();
  const isOpen = (id: string) => {
    try {
      of.use(id);
      return true;
    } catch {
      return false;
    }
  };
  const [first, second] = [begin("a"), begin("a")];
  assert.ok(isOpen(first));
  const third = begin("a");
  assert.deepEqual([first, second, third].map(isOpen), [true, false, true]);
  const other = begin("b");
  assert.ok(isOpen(first));
  const last = begin("c");
  assert.deepEqual([first, third, other, last].map(isOpen), [true, false, true, true]);
  assert.equal(of.count, 3);
});
