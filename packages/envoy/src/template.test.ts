import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { encodeResource } from "@catalyst/xds";
import { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { ScopedRouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/scoped_route_pb";
import fc from "fast-check";
import { compileService } from "./compile.ts";
import { packed } from "./message.ts";
import { templateOf } from "./template.ts";

const encoder = new TextEncoder();

/** With the name in a text, twice in another one, and in a message within a message. */
function make(name: string) {
  const action = {
    case: "route" as const,
    value: { clusterSpecifier: { case: "cluster" as const, value: "n2" } },
  };
  const typedPerFilterConfig = {
    cover: packed(RouteConfigurationSchema, { name, virtualHosts: [{ name }] }),
  };
  return encodeResource(ScopedRouteConfigurationSchema, `${name}.acme`, {
    name: `${name}.acme`,
    routeConfiguration: {
      name: `${name}/${name}${name}`,
      virtualHosts: [{ name, domains: ["*"], routes: [{ name, action, typedPerFilterConfig }] }],
    },
  });
}

test("A template gives of any name what would be encoded for it", () => {
  const name = fc.oneof(
    fc.stringMatching(/^[a-z0-9-]{1,63}$/),
    fc.string({ unit: "grapheme", minLength: 1 }),
  );
  fc.assert(
    fc.property(name, (name) => {
      const bytes = encoder.encode(name);
      assert.deepEqual(templateOf(bytes.length, make)(`${name}.acme`, bytes), make(name));
    }),
  );
});

const nextHop = {
  host: "192.0.2.1",
  port: 10_443,
  sni: "n2.acme.catalyst.internal",
  spiffeId: "spiffe://acme.catalyst.internal/node/n2/envoy",
};
const listen = { ingress: { host: "127.0.0.1", port: 1 }, egress: { host: "127.0.0.1", port: 2 } };
const mesh = {
  ...{ domain: "acme.catalyst.internal", node: "n1", listen, gateway: { socketPath: "/run/gateway.sock" } },
  auth: { open: ["a", "open-1"] },
};

/** What the routes of a service of another node ask of a credential, and how its scope is named. */
function scopeOf(name: string) {
  const { own } = compileService({ name, protocol: "http", paths: [{ to: "node", nextHop }] }, mesh);
  assert.equal(own.length, 1);
  const [{ body = new Uint8Array(), name: resource = "" } = {}] = own;
  const { routeConfiguration, key } = fromBinary(ScopedRouteConfigurationSchema, body);
  const [type] = key?.fragments.map(({ type }) => type.value) ?? [];
  const [virtualHost] = routeConfiguration?.virtualHosts ?? [];
  const routes = virtualHost?.routes ?? [];
  return {
    hosts: new Set([resource, type, virtualHost?.name, routeConfiguration?.name]),
    services: new Set(routes.map((route) => route.name)),
    covers: routes.map(({ typedPerFilterConfig }) =>
      Buffer.from(typedPerFilterConfig["catalyst.services"]?.value ?? []).includes(name),
    ),
  };
}

test("Services of a node that are named alike have each its own Host, and are open or covered each for itself", () => {
  for (const [name, isCovered] of [
    ["shut-1", true],
    ["open-1", false],
    ["shut-2", true],
    ["b", true],
    ["a", false],
  ] as const) {
    const host = `${name}.acme.catalyst.internal`;
    const expected = {
      hosts: new Set([host]),
      services: new Set([name]),
      covers: [isCovered, isCovered],
    };
    assert.deepEqual(scopeOf(name), expected);
  }
});
