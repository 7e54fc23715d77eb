import type { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import { type Condition, call, constant, at as entry, method, of, variable } from "./condition.ts";
import { scopeHeader } from "./internal-headers.ts";
import { type Init, packedStruct } from "./message.ts";

/** What routes are called that many services share. Other routes have the name of their service; none has a slash. */
export const scopeRoute = "nodes/";

/** What expressions may do that look for a service's name in its Host. */
export const stringFunctions = { enableStringFunctions: true };

/** The name of the service that a request is for, for Envoy's own answers. */
export function serviceName(domain: string): string {
  return `%CEL(${nameOf(domain, "''")})%`;
}

/** The same for the log: null where the request is for none. */
export function serviceNameOrNull(domain: string): string {
  return `%TYPED_CEL(${nameOf(domain, "null")})%`;
}

function nameOf(domain: string, none: string): string {
  const ofScope = `request.headers['${scopeHeader}'].split('.${domain}')[0]`;
  const ofRoute = `xds.route_name == '' ? ${none} : xds.route_name`;
  return `xds.route_name == '${scopeRoute}' ? ${ofScope} : (${ofRoute})`;
}

/** The same as a condition takes it, at a route that many services share. */
export function serviceOfScope(domain: string): Condition {
  const scope = entry(of(variable("request"), "headers"), scopeHeader);
  return call("_[_]", method(scope, "split", constant(`.${domain}`)), constant(0));
}

/** What {@link serviceName} needs beside the text that it is in. */
export const serviceNameFormatter: Init<typeof TypedExtensionConfigSchema> = {
  name: "envoy.formatter.cel",
  typedConfig: packedStruct("envoy.extensions.formatter.cel.v3.Cel", {
    cel_config: { enable_string_functions: true },
  }),
};
