import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type SchemaInput, serviceSchema } from "../service.ts";
import { targetOf } from "../testing/test-gateway.ts";
import { type Attempt, type Candidate, type Fault, findServable } from "./culprits.ts";

function candidate(name: string, rank: 0 | 1 | 2 = 2, versions: readonly string[] = ["new"]): Candidate {
  const [first, ...rest] = versions.map((version) => serviceSchema("plain", `${name} ${version}`));
  assert.ok(first);
  return { target: targetOf(name), schemas: [first, ...rest], rank };
}

/** Tries against pairs that clash, services that are bad alone, and services that need another one. */
function world(rules: {
  readonly clashes?: readonly (readonly [string, string])[];
  readonly bad?: readonly string[];
  readonly needs?: Readonly<Record<string, string>>;
  readonly named?: boolean;
}) {
  const names = (services: readonly string[]) => (rules.named === false ? [] : services);
  const state = { attempts: 0 };
  const attempt = async (services: readonly SchemaInput[]): Promise<Attempt<string>> => {
    state.attempts += 1;
    const there = new Set(services.flatMap(({ target, schema }) => [target.name, schema.sdl]));
    const faults: Fault[] = [];
    for (const [a, b] of rules.clashes ?? []) {
      if (there.has(a) && there.has(b))
        faults.push({ services: names([a, b].map(nameOf)), message: `${a} clashes with ${b}` });
    }
    for (const bad of rules.bad ?? []) {
      if (there.has(bad)) faults.push({ services: names([nameOf(bad)]), message: `${bad} is bad` });
    }
    for (const [a, b] of Object.entries(rules.needs ?? {})) {
      if (there.has(a) && !there.has(b)) faults.push({ services: names([a]), message: `${a} needs ${b}` });
    }
    return faults.length > 0 ? { ok: false, faults } : { ok: true, value: [...there].join() };
  };
  return { attempt, state };
}

const nameOf = (text: string) => text.split(" ")[0] ?? text;

const served = (result: { served: readonly SchemaInput[] }) => result.served.map(({ schema }) => schema.sdl);

describe("which services are served together", () => {
  it("takes all in one attempt when they fit", async () => {
    const { attempt, state } = world({});
    const all = Array.from({ length: 50 }, (_, i) => candidate(`s${i}`));
    assert.equal((await findServable(all, attempt)).served.length, 50);
    assert.equal(state.attempts, 1);
  });

  it("leaves out one that is bad by itself and says why", async () => {
    const { attempt, state } = world({ bad: ["b"] });
    const result = await findServable([candidate("a"), candidate("b"), candidate("c", 0)], attempt);
    assert.deepEqual(served(result), ["a new", "c new"]);
    assert.deepEqual([...result.refused], [["b", "b is bad"]]);
    assert.ok(state.attempts <= 3, `${state.attempts} attempts`);
  });

  it("prefers what is served already to what is new, then the first name", async () => {
    const { attempt } = world({ clashes: [["a", "z"]] });
    const newcomer = await findServable([candidate("a"), candidate("m"), candidate("z", 0)], attempt);
    assert.deepEqual(served(newcomer), ["m new", "z new"]);
    assert.deepEqual([...newcomer.refused], [["a", "conflicts with z: a clashes with z"]]);
    const equal = await findServable([candidate("z"), candidate("a")], attempt);
    assert.deepEqual(served(equal), ["a new"]);
  });

  it("does not give up one that is served for two newcomers that clash with it", async () => {
    const rules = {
      clashes: [
        ["old", "x"],
        ["old", "y"],
      ] as const,
    };
    const { attempt } = world(rules);
    const result = await findServable([candidate("x"), candidate("y"), candidate("old", 0)], attempt);
    assert.deepEqual(served(result), ["old new"]);
  });

  it("goes on with the older schema of a service whose newer one clashes", async () => {
    const { attempt } = world({ clashes: [["a new", "b"]] });
    const result = await findServable([candidate("a", 1, ["new", "old"]), candidate("b", 0)], attempt);
    assert.deepEqual(served(result), ["a old", "b new"]);
    assert.deepEqual([...result.refused], [["a", "conflicts with b: a new clashes with b"]]);
  });

  it("puts back a service that was taken out before the one that it needs was", async () => {
    const { attempt } = world({ needs: { a: "b", c: "a" }, bad: ["x"] });
    const result = await findServable(
      ["a", "b", "c", "x"].map((name) => candidate(name)),
      attempt,
    );
    assert.deepEqual(served(result), ["a new", "b new", "c new"]);
  });

  it("finds the culprit also when the faults name nobody", async () => {
    const { attempt } = world({ clashes: [["a", "d"]], bad: ["c"], named: false });
    const result = await findServable(
      ["a", "b", "c", "d"].map((name) => candidate(name)),
      attempt,
    );
    assert.deepEqual(served(result), ["a new", "b new"]);
    assert.deepEqual([...result.refused.keys()].sort(), ["c", "d"]);
  });

  it("is the same for any order of candidates, fits, and leaves out nobody who would fit", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const name = fc.constantFrom(...names);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(name, name).filter(([a, b]) => a !== b),
          { maxLength: 8 },
        ),
        fc.array(name, { maxLength: 3 }),
        fc.array(fc.constantFrom(0 as const, 2 as const), { minLength: 7, maxLength: 7 }),
        fc.shuffledSubarray(names, { minLength: 7, maxLength: 7 }),
        fc.boolean(),
        async (clashes, bad, ranks, order, named) => {
          const candidates = names.map((one, i) => candidate(one, ranks[i]));
          const shuffled = order.flatMap((one) => candidates.filter(({ target }) => target.name === one));
          const { attempt } = world({ clashes, bad, named });
          const result = await findServable(candidates, attempt);
          const again = await findServable(shuffled, attempt);
          assert.deepEqual(served(again), served(result));
          assert.equal((await attempt(result.served)).ok, true);
          for (const out of candidates.filter(({ target }) => result.refused.has(target.name))) {
            const more = [...result.served, { target: out.target, schema: out.schemas[0] }];
            assert.equal((await attempt(more)).ok, false);
          }
          assert.equal(result.served.length + result.refused.size, candidates.length);
        },
      ),
    );
  });
});
