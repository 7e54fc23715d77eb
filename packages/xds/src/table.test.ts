import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { modelTypes, resource } from "../test/model.ts";
import {
  cluster,
  endpoints,
  filteredListener,
  listener,
  referringScope,
  routeConfiguration,
  scope,
} from "../test/resources.ts";
import { XdsError } from "./errors.ts";
import { clusterType, endpointType, routeType } from "./references.ts";
import { createResource, type Resource, type ResourceName } from "./resource.ts";
import { typeTable } from "./resource-type.ts";
import { Snapshot } from "./snapshot.ts";
import { ResourceTable } from "./table.ts";

const publish = (table: ResourceTable, upsert: readonly Resource[], remove: readonly ResourceName[] = []) =>
  table.commit(table.plan({ upsert, remove }));
const names = (table: ResourceTable) =>
  [...table.snapshot()].map(({ type, name }) => `${type} ${name}`).sort();

test("a reference that does not resolve is refused with both names, and nothing changes", () => {
  const table = new ResourceTable(typeTable().of);
  const refused = (upsert: Resource[], remove: Resource[] = []) => {
    try {
      table.plan({ upsert, remove });
      return [];
    } catch (error) {
      assert.ok(error instanceof XdsError);
      assert.equal(error.code, "reference_missing");
      return error.missing.map((each) => `${each.resource.name} → ${each.missing.type} ${each.missing.name}`);
    }
  };
  assert.deepEqual(refused([cluster("a")]), [`a → ${endpointType} a`]);
  assert.deepEqual(refused([scope("h", "c")]), [`h → ${clusterType} c`]);
  assert.deepEqual(refused([referringScope("h", "r")]), [`h → ${routeType} r`]);
  assert.deepEqual(refused([listener("l", "/l", "r"), routeConfiguration("q", "c")]), [
    `l → ${routeType} r`,
    `q → ${clusterType} c`,
  ]);
  assert.equal(table.revision, 0);
  publish(table, [cluster("a"), endpoints("a", 1), scope("h", "a")]);
  assert.deepEqual(refused([], [cluster("a"), endpoints("a", 1)]), [`h → ${clusterType} a`]);
  assert.deepEqual(refused([], [endpoints("a", 1)]), [`a → ${endpointType} a`]);
  publish(table, [], [scope("h", "a"), cluster("a"), endpoints("a", 1)]);
  assert.equal(table.snapshot().size, 0);
});

test("what a proxy knows by itself may be named", () => {
  const table = new ResourceTable(typeTable().of, [{ type: clusterType, name: "static" }]);
  publish(table, [scope("h", "static")]);
  assert.deepEqual(names(table).length, 1);
});

test("a body that is no message of its type is refused", () => {
  const table = new ResourceTable(typeTable().of);
  const broken = createResource(clusterType, "a", new Uint8Array([0xff]));
  assert.throws(() => table.plan({ upsert: [broken] }), { code: "resource_malformed" });
  assert.throws(() => createResource(clusterType, "", new Uint8Array(0)), { code: "resource_unnamed" });
});

test("a change that changes nothing is an empty plan", () => {
  const table = new ResourceTable(typeTable().of);
  publish(table, [endpoints("a", 1)]);
  const plan = table.plan({ upsert: [endpoints("a", 1)], remove: [{ type: clusterType, name: "none" }] });
  assert.deepEqual([plan.upsert, plan.remove], [[], []]);
});

const label = fc.constantFrom("1", "2");
const name = fc.constantFrom("a", "b", "c");
const piece = fc.oneof(
  fc.tuple(fc.constant("endpoint"), name, label, fc.constant([] as string[])),
  fc.tuple(fc.constant("cluster"), name, label, fc.subarray(["endpoint a", "endpoint b", "endpoint c"])),
  fc.tuple(fc.constant("route"), name, label, fc.subarray(["cluster a", "cluster b", "cluster c"])),
);
const change = fc.record({
  upsert: fc.array(
    piece.map(([type, id, text, to]) => resource(type, id, text, ...to)),
    { maxLength: 5 },
  ),
  remove: fc.array(fc.record({ type: fc.constantFrom("endpoint", "cluster", "route"), name }), {
    maxLength: 3,
  }),
});

test("the incremental check decides as a check of everything would, and order leaves no trace", () => {
  const types = typeTable(modelTypes);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20, size: "max" }), (changes) => {
      const table = new ResourceTable(types.of);
      const model = new Map<string, Resource>();
      for (const { upsert, remove } of changes) {
        const after = new Map(model);
        for (const each of remove) after.delete(`${each.type} ${each.name}`);
        for (const each of upsert) after.set(`${each.type} ${each.name}`, each);
        const sound = [...after.values()].every((each) =>
          [...types.of(each.type).references(each.body)].every((to) => after.has(`${to.type} ${to.name}`)),
        );
        if (!sound) {
          assert.throws(() => table.plan({ upsert, remove }), { code: "reference_missing" });
          continue;
        }
        publish(table, upsert, remove);
        model.clear();
        for (const [key, each] of after) model.set(key, each);
      }
      assert.deepEqual(names(table), [...model.keys()].sort());
      const fresh = new ResourceTable(types.of);
      fresh.commit(fresh.plan(fresh.changeTo(new Snapshot(model.values()))));
      for (const type of ["endpoint", "cluster", "route"]) {
        assert.equal(table.fingerprint(type), fresh.fingerprint(type));
      }
    }),
    { numRuns: 300 },
  );
});

test("what a resource made of a message names is what is read from its bytes", () => {
  const all = [
    ...[cluster("a"), routeConfiguration("a", "b"), scope("a.test", "b"), referringScope("a.test", "b")],
    ...[listener("a", "/a", "b"), filteredListener("a", "/a", "b")],
  ];
  for (const made of all) {
    const read = [...typeTable().of(made.type).references(made.body)];
    assert.ok(read.length > 0, `${made.name} names nothing`);
    assert.deepEqual(made.references, read);
  }
});
