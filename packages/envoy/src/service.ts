import { isIP } from "node:net";
import { labelPattern, type ServiceDeclaration } from "@catalyst/rpc";
import { EnvoyError } from "./errors.ts";
import { gatewayName, type MeshInput, serviceHost } from "./mesh.ts";

/** One place where a service answers. */
export type Endpoint = {
  /** An IP address, or the name that Envoy resolves. */
  readonly address: string;
  readonly port: number;
  /** The Host that the service expects there: the authority of its URL. */
  readonly authority: string;
  /** The lowest is used first, the next when that is unhealthy. */
  readonly priority: number;
};

/** A service as Envoy routes to it. */
export type RoutedService = {
  readonly name: string;
  /** Its Host, also the name of its cluster, endpoints and scope. */
  readonly host: string;
  /** `addresses` are known now; `name` is resolved by Envoy and has one endpoint. */
  readonly discovery: "addresses" | "name";
  readonly endpoints: readonly Endpoint[];
  /** The name in its certificate, for https; null for plain http. */
  readonly tlsName: string | null;
  /** What it speaks: with HTTP/2 from the first byte on, also without TLS. */
  readonly http: 1 | 2;
  readonly paths: readonly PathRule[];
  /** How long it may take until its answer begins, in ms. */
  readonly timeoutMs: number;
};

/** One way in which paths at the Host become paths at the service; `to` null leaves them as they are. */
export type PathRule =
  | { readonly kind: "exact"; readonly path: string; readonly to: string | null }
  | { readonly kind: "prefix"; readonly path: string; readonly to: string | null };

/** Where a GraphQL service answers at its Host, whatever its own path is. */
export const graphqlPath = "/graphql";

/**
 * How a declared service is reached. Throws {@link EnvoyError} `service_invalid`.
 *
 * A `graphql` service answers at `/graphql` of its Host, other paths pass unchanged. An `http` service has its
 * URL's path put before every path.
 */
export function routeService(service: ServiceDeclaration, mesh: MeshInput): RoutedService {
  const { name, timeoutMs } = service;
  if (!labelPattern.test(name) || name === gatewayName) throw invalid(name, "the name cannot be a service's");
  if (!URL.canParse(service.url)) throw invalid(name, `${service.url} is not a URL`);
  const url = new URL(service.url);
  const secure = url.protocol === "https:";
  if (!secure && url.protocol !== "http:") throw invalid(name, `${service.url} is not an http or https URL`);
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return {
    name,
    host: serviceHost(name, mesh.domain),
    discovery: isIP(hostname) === 0 ? "name" : "addresses",
    endpoints: [{ address: hostname, port, authority: url.host, priority: 0 }],
    tlsName: secure ? hostname : null,
    http: service.protocol === "grpc" ? 2 : 1,
    paths: service.protocol === "graphql" ? graphqlPaths(url.pathname) : basePaths(url.pathname),
    timeoutMs,
  };
}

function graphqlPaths(declared: string): PathRule[] {
  const rest: PathRule = { kind: "prefix", path: "/", to: null };
  return declared === graphqlPath ? [rest] : [{ kind: "exact", path: graphqlPath, to: declared }, rest];
}

function basePaths(base: string): PathRule[] {
  const to = base.endsWith("/") ? base : `${base}/`;
  return [{ kind: "prefix", path: "/", to: to === "/" ? null : to }];
}

function invalid(name: string, problem: string): EnvoyError {
  return new EnvoyError("service_invalid", `service ${JSON.stringify(name)}: ${problem}`);
}
