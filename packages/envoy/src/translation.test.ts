import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceDeclaration } from "@catalyst/rpc";
import type { Resource, ResourceName } from "@catalyst/xds";
import fc from "fast-check";
import { EnvoyError } from "./errors.ts";
import { serviceHost } from "./mesh.ts";
import { servedHere } from "./reachable.ts";
import { hostScope } from "./scope-key.ts";
import { MeshTranslation } from "./translation.ts";

const host = "127.0.0.1";
const mesh = {
  domain: "acme.catalyst.internal",
  node: "n1",
  listen: { ingress: { host, port: 1 }, egress: { host, port: 2 } },
  gateway: { socketPath: "/run/gateway.sock" },
};

const declaration: fc.Arbitrary<ServiceDeclaration> = fc.record({
  name: fc.constantFrom("a", "b", "c", "d"),
  protocol: fc.constantFrom("graphql", "http"),
  url: fc.constantFrom(
    "http://127.0.0.1:4001/graphql",
    "http://127.0.0.1:4002/graphql",
    "http://localhost:4001/",
    "https://api.example.com/base",
  ),
  timeoutMs: fc.constantFrom(1_000, 2_000),
});
const step = fc.record({
  put: fc.uniqueArray(declaration, { selector: ({ name }) => name }),
  remove: fc.array(fc.constantFrom("a", "b", "c", "d")),
});

const keyOf = ({ type, name }: ResourceName) => `${type} ${name}`;

function versions(resources: Iterable<Resource>): Map<string, string> {
  return new Map([...resources].map((each) => [keyOf(each), each.version]));
}

test("Any sequence of changes leaves what the last services give from scratch", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const translation = new MeshTranslation(mesh);
      const published = versions(translation.resources());
      const services = new Map<string, ServiceDeclaration>();
      for (const change of steps) {
        const plan = translation.plan({ ...change, put: change.put.map(servedHere) });
        translation.commit(plan);
        for (const gone of plan.remove)
          assert(published.delete(keyOf(gone)), "only what was there is removed");
        for (const each of plan.upsert) {
          assert.notEqual(published.get(keyOf(each)), each.version, "equal bytes are not sent again");
          published.set(keyOf(each), each.version);
        }
        for (const name of change.remove) services.delete(name);
        for (const service of change.put) services.set(service.name, service);
      }
      const scratch = new MeshTranslation(mesh);
      scratch.commit(scratch.plan({ put: [...services.values()].map(servedHere) }));
      assert.deepEqual(published, versions(scratch.resources()));
      assert.deepEqual(versions(translation.resources()), published);
    }),
  );
});

test("A changed service touches its own resources and no others", () => {
  fc.assert(
    fc.property(declaration, declaration, (before, after) => {
      const translation = new MeshTranslation(mesh);
      const other = { ...before, name: "other" };
      translation.commit(translation.plan({ put: [before, other].map(servedHere) }));
      const { upsert, remove } = translation.plan({ put: [servedHere({ ...after, name: before.name })] });
      const host = serviceHost(before.name, mesh.domain);
      const own = [host, hostScope(host).name];
      for (const { name } of [...upsert, ...remove]) assert.ok(own.includes(name), name);
    }),
  );
});

test("A new address changes the endpoints alone, a new time limit the scope alone", () => {
  const translation = new MeshTranslation(mesh);
  const service = {
    name: "a",
    protocol: "graphql",
    url: "http://127.0.0.1:4001/graphql",
    timeoutMs: 1_000,
  } as const;
  translation.commit(translation.plan({ put: [servedHere(service)] }));
  const touched = (changed: ServiceDeclaration) =>
    translation
      .plan({ put: [servedHere(changed)] })
      .upsert.map(({ type }) => type.slice(type.lastIndexOf(".") + 1));
  assert.deepEqual(touched({ ...service, timeoutMs: 2_000 }), ["ScopedRouteConfiguration"]);
  assert.deepEqual(touched({ ...service, url: "http://127.0.0.1:4002/graphql" }), ["ClusterLoadAssignment"]);
});

test("One more service is less than 2 kB in all, whatever it is", () => {
  const longest = { name: "s".repeat(63), timeoutMs: 600_000 };
  for (const protocol of ["graphql", "http"] as const) {
    for (const url of [
      "http://127.0.0.1:4001/api/v1/query",
      "https://[2001:db8::1]:8443/a",
      "https://api.example.com/x",
    ]) {
      const { upsert } = new MeshTranslation(mesh).plan({ put: [servedHere({ ...longest, protocol, url })] });
      const bytes = upsert.reduce((sum, { body }) => sum + body.length, 0);
      assert(bytes < 1_800, `${bytes} B for ${protocol} ${url}`);
    }
  }
});

test("A plan that another overtook is refused, and a refused declaration plans nothing", () => {
  const translation = new MeshTranslation(mesh);
  const service = { name: "a", protocol: "http", url: "http://127.0.0.1:1/", timeoutMs: 1 } as const;
  const late = translation.plan({ put: [servedHere(service)] });
  translation.commit(translation.plan({ put: [servedHere({ ...service, name: "b" })] }));
  assert.throws(
    () => translation.commit(late),
    (error) => error instanceof EnvoyError && error.code === "plan_stale",
  );
  assert.throws(
    () => translation.plan({ put: [service, { ...service, name: "graphql" }].map(servedHere) }),
    EnvoyError,
  );
  assert.throws(
    () => translation.resourcesOf("a"),
    (error) => error instanceof EnvoyError && error.code === "service_unknown",
  );
  assert.equal(translation.resourcesOf("b").length, 3);
});
