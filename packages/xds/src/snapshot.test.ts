import assert from "node:assert/strict";
import { test } from "node:test";
import { RouteConfigurationSchema } from "../generated/envoy/config/route/v3/route_pb.js";
import { ScopedRouteConfigurationSchema } from "../generated/envoy/config/route/v3/scoped_route_pb.js";
import { encodeResource } from "./encode.ts";
import { Snapshot, withRoutes } from "./snapshot.ts";

test("Scopes whose routes were not acknowledged yet are left out of what an Envoy starts with, and nothing else", () => {
  const scope = (name: string, routes: object) =>
    encodeResource(ScopedRouteConfigurationSchema, name, { name, ...routes });
  const snapshot = new Snapshot([
    encodeResource(RouteConfigurationSchema, "there", { name: "there" }),
    scope("a", { routeConfigurationName: "there" }),
    scope("b", { routeConfigurationName: "missing" }),
    scope("c", { routeConfiguration: { name: "c" } }),
  ]);
  assert.deepEqual(
    [...withRoutes(snapshot)].map(({ name }) => name),
    ["there", "a", "c"],
  );
});
