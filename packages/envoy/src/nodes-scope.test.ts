import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { Resource } from "@catalyst/xds";
import { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { ScopedRouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/scoped_route_pb";
import { isNextHop, type NextHop, type ReachableService } from "./reachable.ts";
import { hostScope } from "./scope-key.ts";
import { MeshTranslation } from "./translation.ts";

const address = { host: "127.0.0.1", port: 1 };
const mesh = {
  ...{ domain: "acme.catalyst.internal", node: "n1", gateway: { socketPath: "/run/gateway.sock" } },
  listen: { ingress: address, egress: { ...address, port: 2 } },
  auth: { open: ["open-1", "open-2"] },
};
const hopTo = (node: string): NextHop => ({
  host: "192.0.2.1",
  port: 10_443,
  sni: `${node}.acme.catalyst.internal`,
  spiffeId: `spiffe://acme.catalyst.internal/node/${node}/envoy`,
});
const at = (name: string, ...nodes: string[]): ReachableService => ({
  name,
  protocol: "http",
  paths: nodes.map((node) => ({ to: "node", nextHop: hopTo(node) })),
});

/** What a translation of these services has, by type. */
function resourcesOf(...services: ReachableService[]) {
  const translation = new MeshTranslation(mesh);
  translation.commit(translation.plan({ put: services }));
  const all = [...translation.resources()];
  const named = new Set([...translation.node].map(({ name }) => name));
  const own = all.filter(({ name }) => !named.has(name));
  const ofType = (word: string) => own.filter(({ type }) => type.endsWith(`.${word}`));
  const decode = ({ body }: Resource) => fromBinary(ScopedRouteConfigurationSchema, body);
  const scopes = new Map(ofType("ScopedRouteConfiguration").map((each) => [each.name, decode(each)]));
  return { translation, scopes, routes: ofType("RouteConfiguration") };
}

const hostOf = (name: string) => `${name}.acme.catalyst.internal`;
const scopeOf = (name: string) => hostScope(hostOf(name)).name;

test("Services of other nodes name the routes of their way, open and covered ones different ones", () => {
  const names = ["a", "b", "open-1", "open-2"];
  const { scopes, routes } = resourcesOf(...names.map((name) => at(name, "n2")), at("c", "n3"));
  const named = (name: string) => scopes.get(scopeOf(name))?.routeConfigurationName;
  assert.equal(named("a"), named("b"));
  assert.equal(named("open-1"), named("open-2"));
  assert.equal(new Set(["a", "open-1", "c"].map(named)).size, 3);
  assert.deepEqual(new Set(routes.map(({ name }) => name)), new Set(["a", "open-1", "c"].map(named)));
  for (const name of names) {
    const scope = scopes.get(scopeOf(name));
    assert.equal(scope?.routeConfiguration, undefined);
    assert.deepEqual(scope?.key?.fragments[0]?.type, { case: "stringKey", value: hostOf(name) });
  }
});

test("Routes come with a herald, a scope of a key that no Host makes, and both go with the last service", () => {
  const { scopes, routes, translation } = resourcesOf(at("a", "n2"), at("b", "n2", "n3"));
  for (const { name, body } of routes) {
    assert.equal(fromBinary(RouteConfigurationSchema, body).name, name);
    const heralds = [...scopes].filter(
      ([key, scope]) => key.endsWith("/") && scope.routeConfigurationName === name,
    );
    assert.equal(heralds.length, 1);
  }
  const { remove } = translation.plan({ remove: ["a"] });
  const gone = remove.filter(({ type }) => /Route/.test(type)).map(({ name }) => name);
  const left = scopes.get(scopeOf("a"))?.routeConfigurationName ?? "";
  assert.deepEqual(gone.sort(), [scopeOf("a"), left, `routes/${left}/`].sort());
});

test("One service more of a way is its scope alone, of 0.2 kB, whoever else was planned with it", () => {
  const { translation } = resourcesOf(at("a", "n2"));
  const { upsert } = translation.plan({ put: [at("b", "n2")] });
  assert.deepEqual(
    upsert.map(({ name }) => name),
    [scopeOf("b")],
  );
  assert.ok((upsert[0]?.body.length ?? 1_000) < 250);
});

test("A shared resource is known by the services that have it", () => {
  const { translation, routes } = resourcesOf(at("a", "n2"), at("b", "n2"), at("c", "n3"));
  const users = routes.map((each) => translation.usersOf(each).sort().join());
  assert.deepEqual(users.sort(), ["a,b", "c"]);
});

test("No node is where Envoy could not go: an address with a zone is none", () => {
  const hosts = { "2001:db8::1": true, "2001:db8::1%eth0": false, "fe80::1%1": false, "192.0.2.1": true };
  for (const [host, is] of Object.entries(hosts)) assert.equal(isNextHop({ ...hopTo("n2"), host }), is, host);
});
