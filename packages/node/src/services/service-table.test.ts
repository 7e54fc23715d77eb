import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError, type ServiceDeclaration } from "@catalyst/rpc";
import fc from "fast-check";
import { ServiceTable } from "./service-table.ts";

const declare = (name: string, port = 4001): ServiceDeclaration => ({
  name,
  protocol: "graphql",
  url: `http://127.0.0.1:${port}/graphql`,
  timeoutMs: 15_000,
});
const refusedWith = (code: string) => (error: unknown) => error instanceof RpcError && error.code === code;

const one = (id: string) => ({ id, holder: "one", ttlMs: 1_000 });
const two = (id: string) => ({ id, holder: "two", ttlMs: 1_000 });

test("a configured service is changed in the configuration only", () => {
  const table = new ServiceTable([declare("products")]);
  assert.throws(() => table.planAdd(declare("products"), "r1", 0), refusedWith("service_declared"));
  assert.throws(() => table.planRemove("products", 0), refusedWith("service_declared"));
  assert.throws(() => table.planLease(declare("products"), one("l1"), 0), refusedWith("service_declared"));
});

test("a plan changes nothing before it is committed", () => {
  const table = new ServiceTable([]);
  const plan = table.planAdd(declare("products"), "r1", 0);
  assert.equal(table.size, 0);
  table.commit(plan);
  assert.equal(table.get("products")?.origin, "runtime");
});

test("adding an existing service changes it", () => {
  const table = new ServiceTable([]);
  table.commit(table.planAdd(declare("products", 1), "r1", 0));
  const again = table.planAdd(declare("products", 2), "r2", 0);
  assert.partialDeepStrictEqual(again, { created: false, entry: { revision: "r2" } });
});

test("a leased name belongs to the holder of its lease, who may be given it anew", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products", 1), one("l1"), 0));
  const message =
    "products is leased to one at http://127.0.0.1:1/graphql for another 1 s, and for longer when it renews";
  for (const port of [1, 2]) {
    assert.throws(() => table.planLease(declare("products", port), two("l2"), 10), {
      code: "service_leased",
      message,
    });
  }
  assert.throws(() => table.planAdd(declare("products", 2), "r", 10), refusedWith("service_leased"));
  table.commit(table.planLease(declare("products", 1), one("l2"), 10));
  assert.throws(
    () => table.planRenew("l1", { healthy: true, detail: null }, 20),
    refusedWith("lease_unknown"),
  );
  assert.equal(table.planRelease("l1"), null);
  assert.deepEqual(table.planRelease("l2"), { kind: "remove", name: "products" });
});

test("two live instances at one URL do not take a lease from each other", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products"), one("l1"), 0));
  for (let now = 100; now < 10_000; now += 100) {
    if (now % 300 === 0) table.commit(table.planRenew("l1", { healthy: true, detail: null }, now));
    assert.throws(() => table.planLease(declare("products"), two("l2"), now), refusedWith("service_leased"));
  }
});

test("the successor of a holder that died goes on at the same URL before the lease has ended, elsewhere after it", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products", 1), one("l1"), 0));
  assert.throws(() => table.planLease(declare("products", 1), two("l2"), 499), refusedWith("service_leased"));
  assert.throws(() => table.planLease(declare("products", 2), two("l2"), 999), refusedWith("service_leased"));
  assert.equal(table.planExpiry(500).length, 0);
  table.commit(table.planLease(declare("products", 1), two("l2"), 500));
  assert.equal(table.get("products")?.lease?.holder, "two");
  assert.throws(
    () => table.planRenew("l1", { healthy: true, detail: null }, 600),
    refusedWith("lease_unknown"),
  );
});

test("a name that was added is not leased", () => {
  const table = new ServiceTable([]);
  table.commit(table.planAdd(declare("products"), "r", 0));
  assert.throws(() => table.planLease(declare("products"), one("l1"), 0), refusedWith("service_name_taken"));
});

test("a lease ends at its time to live after the last renewal", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products"), one("l1"), 0));
  table.commit(table.planRenew("l1", { healthy: false, detail: "no database" }, 700));
  assert.equal(table.nextExpiry(), 1_700);
  assert.deepEqual(table.planExpiry(1_699), []);
  assert.deepEqual(table.planExpiry(1_700), [{ kind: "remove", name: "products" }]);
  assert.equal(table.get("products")?.lease?.detail, "no database");
});

test("whatever happens, every live lease can be renewed and every dead one cannot", () => {
  const names = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({
      do: fc.constant("lease" as const),
      name: names,
      port: fc.constantFrom(1, 2),
      holder: fc.constantFrom("one", "two"),
    }),
    fc.record({ do: fc.constant("add" as const), name: names }),
    fc.record({ do: fc.constant("remove" as const), name: names }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ do: fc.constant("renew" as const), lease: fc.integer({ min: 0, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new ServiceTable([]);
      const live = new Map<string, { id: string; until: number }>();
      let now = 0;
      let leases = 0;
      for (const each of steps) {
        try {
          if (each.do === "pass") now += each.ms;
          for (const change of table.planExpiry(now)) table.commit(change);
          for (const [name, { until }] of live) if (until <= now) live.delete(name);
          if (each.do === "lease") {
            const id = `l${leases++}`;
            table.commit(
              table.planLease(declare(each.name, each.port), { id, holder: each.holder, ttlMs: 1_000 }, now),
            );
            live.set(each.name, { id, until: now + 1_000 });
          }
          if (each.do === "add") table.commit(table.planAdd(declare(each.name), "r", 0));
          if (each.do === "remove") {
            table.commit(table.planRemove(each.name, now));
          }
          if (each.do === "renew") {
            const held = [...live.values()].find(({ id }) => id === `l${each.lease}`);
            table.commit(table.planRenew(`l${each.lease}`, { healthy: true, detail: null }, now));
            assert.ok(held, "only a live lease is renewed");
            held.until = now + 1_000;
          }
        } catch (error) {
          assert.ok(error instanceof RpcError);
          if (each.do === "renew") {
            assert.ok(![...live.values()].some(({ id }) => id === `l${each.lease}`));
          }
        }
      }
      const held = table.entries().flatMap(({ lease }) => (lease ? [lease.id] : []));
      assert.deepEqual(held.sort(), [...live.values()].map(({ id }) => id).sort());
    }),
  );
});
