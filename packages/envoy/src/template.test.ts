import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeResource } from "@catalyst/xds";
import { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { ScopedRouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/scoped_route_pb";
import fc from "fast-check";
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

test("A name that the template's other texts hold is found where it stands", () => {
  const scoped = (name: string) => encodeResource(ScopedRouteConfigurationSchema, name, { name, key: {} });
  assert.deepEqual(templateOf(1, scoped)("e", encoder.encode("e")), scoped("e"));
});
