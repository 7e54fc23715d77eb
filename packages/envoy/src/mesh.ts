import { isIP } from "node:net";
import { domainPattern, labelPattern } from "@catalyst/rpc";
import { EnvoyError } from "./errors.ts";

/** Where something listens: an IP address and a port. */
export type Address = { readonly host: string; readonly port: number };

/** A port of this node that leads to a TCP service, by the service's name. */
export type TcpPort = { readonly name: string; readonly listen: Address };

/** What Envoy writes to its standard output about requests: each one, those that failed in the node, or none. */
export type AccessLogging = "all" | "failures" | "none";

/** What all of a node's Envoy resources are made from, besides its services. */
export type MeshInput = {
  /** The organisation's trust domain: a DNS name in lower case with at least two labels. */
  readonly domain: string;
  /** The node's name, a DNS label; it is told to callers that ask for nothing in particular. */
  readonly node: string;
  readonly listen: {
    readonly ingress: Address;
    /** Absent: no TLS listener. */
    readonly ingressTls?: Address | undefined;
    readonly egress: Address;
    /** Where other nodes' Envoys bring their requests. Absent: nobody reaches this node's services from elsewhere. */
    readonly mesh?: Address | undefined;
  };
  /** Where this node opens TCP services to the programs beside it, whichever node has them. Default nowhere. */
  readonly tcp?: readonly TcpPort[] | undefined;
  /**
   * How Envoys of nodes prove to each other who they are: by mutual TLS, with what {@link compileNodeIdentity} and
   * {@link compileNodeTrust} give; or not at all, to see whether they reach each other. Default `tls`.
   */
  readonly nodes?: "tls" | "plain" | undefined;
  /** Where the gateway takes GraphQL, plain HTTP. */
  readonly gateway: { readonly socketPath: string } | Address;
  /** Name of the secret with the TLS listener's certificate. Default {@link defaultTlsSecret}. */
  readonly tlsSecretName?: string | undefined;
  /** Default `all`. */
  readonly accessLog?: AccessLogging | undefined;
  /** How long the gateway may take until its answer begins, in ms. Default 60,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Authorities, PEM, whose certificates services with https URLs may have, beside the well-known ones. */
  readonly upstreamTrust?: string | undefined;
  /** Where the node's public keys are served: a Unix socket, plain HTTP. Absent: nowhere. */
  readonly keysSocketPath?: string | undefined;
  /** Absent: no request needs a credential. */
  readonly auth?: MeshAuth | undefined;
  /** Absent: pages of other origins may call nothing. */
  readonly cors?: MeshCors | undefined;
};

/** Which pages may call the node's services and its GraphQL endpoint from a browser. */
export type MeshCors = {
  /** Origins as the Fetch standard writes them, such as `https://app.example`; `*` is every one. */
  readonly origins: readonly string[];
  /** Headers that their requests may have besides the usual ones. */
  readonly headers?: readonly string[] | undefined;
  /** Whether browsers send cookies along. Default false. */
  readonly credentials?: boolean | undefined;
  /** How long browsers need not ask again, in ms. Default 600,000. */
  readonly maxAgeMs?: number | undefined;
};

/** That requests need a credential that covers their service, on every listener. */
export type MeshAuth = {
  /** Names of services that need none, {@link gatewayName} among them if so wished. */
  readonly open: readonly string[];
  /**
   * How long what was let in by a credential may go on, in ms, however long the credential is good: event streams,
   * WebSockets, downloads. Default 3,600,000.
   */
  readonly maxStreamMs?: number | undefined;
  /**
   * Where the gateway asks services, a Unix socket: whoever may open it says which certificate a client has. Absent: what
   * the gateway asks for whoever has a token that is bound to one is refused.
   */
  readonly gatewaySocketPath?: string | undefined;
};

/** Name of the TLS listener's secret unless the mesh says otherwise. */
export const defaultTlsSecret = "ingress";

/** The reserved service name of the gateway. */
export const gatewayName = "graphql";

/** Whether a service, or the gateway by {@link gatewayName}, needs no credential. */
export function isOpen(service: string, { auth }: Pick<MeshInput, "auth">): boolean {
  return auth === undefined || auth.open.includes(service);
}

/** The Host of a service: `products` is reached at `products.<domain>`. */
export function serviceHost(name: string, domain: string): string {
  return `${name}.${domain}`;
}

/**
 * Refuses a mesh whose names or addresses Envoy must not see: they become part of expressions and messages.
 * Throws {@link EnvoyError} `mesh_invalid`.
 */
export function checkMesh(mesh: MeshInput): void {
  const refuse = (problem: string): never => {
    throw new EnvoyError("mesh_invalid", problem);
  };
  if (!domainPattern.test(mesh.domain))
    refuse(`${JSON.stringify(mesh.domain)} is not a domain of two labels or more`);
  if (!labelPattern.test(mesh.node)) refuse(`${JSON.stringify(mesh.node)} is not a node's name`);
  const { ingress, ingressTls, egress, mesh: nodes } = mesh.listen;
  for (const [name, address] of Object.entries({ ingress, ingressTls, egress, mesh: nodes })) {
    if (address !== undefined) checkAddress(name, address);
  }
  for (const { name, listen } of mesh.tcp ?? []) checkAddress(`tcp ${name}`, listen);
  if ("port" in mesh.gateway) checkAddress("gateway", mesh.gateway);
}

function checkAddress(name: string, { host, port }: Address): void {
  if (isIP(host) !== 0 && Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new EnvoyError("mesh_invalid", `${name}: ${host}:${port} is not an IP address and a port`);
}
