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

test("a configured service is changed in the configuration only", () => {
  const table = new ServiceTable([declare("products")]);
  assert.throws(() => table.planAdd(declare("products"), "r1"), refusedWith("service_declared"));
  assert.throws(() => table.planRemove("products"), refusedWith("service_declared"));
  assert.throws(() => table.planLease(declare("products"), "l1", 1_000, 0), refusedWith("service_declared"));
});

test("a plan changes nothing before it is committed", () => {
  const table = new ServiceTable([]);
  const plan = table.planAdd(declare("products"), "r1");
  assert.equal(table.size, 0);
  table.commit(plan);
  assert.equal(table.get("products")?.origin, "runtime");
});

test("adding an existing service changes it", () => {
  const table = new ServiceTable([]);
  table.commit(table.planAdd(declare("products", 1), "r1"));
  const again = table.planAdd(declare("products", 2), "r2");
  assert.partialDeepStrictEqual(again, { created: false, entry: { revision: "r2" } });
});

test("a leased name belongs to its lease, but a service that was killed comes back at once", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products", 1), "l1", 1_000, 0));
  assert.throws(
    () => table.planLease(declare("products", 2), "l2", 1_000, 10),
    refusedWith("service_name_taken"),
  );
  assert.throws(() => table.planAdd(declare("products", 2), "r"), refusedWith("service_name_taken"));
  table.commit(table.planLease(declare("products", 1), "l2", 1_000, 10));
  assert.throws(
    () => table.planRenew("l1", { healthy: true, detail: null }, 20),
    refusedWith("lease_unknown"),
  );
  assert.equal(table.planRelease("l1"), null);
  assert.deepEqual(table.planRelease("l2"), { kind: "remove", name: "products" });
});

test("a lease ends at its time to live after the last renewal", () => {
  const table = new ServiceTable([]);
  table.commit(table.planLease(declare("products"), "l1", 1_000, 0));
  table.commit(table.planRenew("l1", { healthy: false, detail: "no database" }, 700));
  assert.equal(table.nextExpiry(), 1_700);
  assert.deepEqual(table.planExpiry(1_699), []);
  assert.deepEqual(table.planExpiry(1_700), [{ kind: "remove", name: "products" }]);
  assert.equal(table.get("products")?.lease?.detail, "no database");
});

test("whatever happens, every live lease can be renewed and every dead one cannot", () => {
  const names = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({ do: fc.constant("lease" as const), name: names, port: fc.constantFrom(1, 2) }),
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
            table.commit(table.planLease(declare(each.name, each.port), id, 1_000, now));
            live.set(each.name, { id, until: now + 1_000 });
          }
          if (each.do === "add") table.commit(table.planAdd(declare(each.name), "r"));
          if (each.do === "remove") {
            table.commit(table.planRemove(each.name));
            live.delete(each.name);
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
