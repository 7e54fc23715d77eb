import type { RouteSchema } from "@catalyst/xds/api/config/route/v3/route_components_pb";
import { CorsPolicySchema, CorsSchema } from "@catalyst/xds/api/extensions/filters/http/cors/v3/cors_pb";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { MeshCors } from "./mesh.ts";
import { type Init, packed } from "./message.ts";

const filterName = "envoy.filters.http.cors";

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE";
/** What clients of GraphQL and of services here send, besides what the standard always allows. */
const requestHeaders = [
  "authorization",
  "content-type",
  "traceparent",
  "tracestate",
  "x-api-key",
  "x-request-id",
];
const answerHeaders = "retry-after, x-request-id";

/**
 * Cross-origin requests of browsers (Fetch standard, "HTTP-CORS protocol"). A preflight carries no credential: the
 * filter answers it by itself, before others look for one.
 */
export const corsFilter: Init<typeof HttpFilterSchema> = {
  name: filterName,
  configType: { case: "typedConfig", value: packed(CorsSchema, {}) },
};

/** What a route has that browsers of these origins may call. */
export function corsPolicy({
  origins,
  headers = [],
  credentials = false,
  maxAgeMs = 600_000,
}: MeshCors): NonNullable<Init<typeof RouteSchema>["typedPerFilterConfig"]> {
  const matchers = origins.map((origin) =>
    origin === "*"
      ? { matchPattern: { case: "safeRegex" as const, value: { regex: ".*" } } }
      : { matchPattern: { case: "exact" as const, value: origin } },
  );
  const policy = packed(CorsPolicySchema, {
    allowOriginStringMatch: matchers,
    allowMethods: methods,
    allowHeaders: [...requestHeaders, ...headers].join(", "),
    exposeHeaders: answerHeaders,
    maxAge: String(Math.trunc(maxAgeMs / 1_000)),
    allowCredentials: credentials,
  });
  return { [filterName]: policy };
}
