import { isIP } from "node:net";
import type { ServiceDeclaration, ServiceProtocol } from "@catalyst/rpc";
import { EnvoyError } from "./errors.ts";
import type { NodeRule } from "./node-policy.ts";
import { onceForEach } from "./once-for-each.ts";

/** Where another node's Envoy takes requests for its services. */
export type NextHop = {
  /** An IP address, or the name that Envoy resolves. */
  readonly host: string;
  readonly port: number;
  /** The node's full name: what its certificate is asked for. */
  readonly sni: string;
  /** Who has to answer: the SPIFFE id of the node's Envoy. */
  readonly spiffeId: string;
};

/** One way to a service: it is declared at this node, or another node has it. */
export type ServicePath =
  | { readonly to: "here"; readonly service: ServiceDeclaration }
  | { readonly to: "node"; readonly nextHop: NextHop };

/** A service, and all ways to it, the preferred one first; at least one, and at most one of them here. */
export type ReachableService = {
  /** Its name inside the organisation. */
  readonly name: string;
  /** What it speaks. Absent: HTTP in one of its kinds. */
  readonly protocol?: ServiceProtocol | undefined;
  readonly paths: readonly ServicePath[];
  /** Which nodes may have it from here; by default those of this organisation. */
  readonly rules?: readonly NodeRule[] | undefined;
};

/** A service that this node alone has. */
export function servedHere(service: ServiceDeclaration): ReachableService {
  return { name: service.name, protocol: service.protocol, paths: [{ to: "here", service }] };
}

/** The service as this node declares it; null where other nodes alone have it. */
export function declarationOf({ paths }: ReachableService): ServiceDeclaration | null {
  for (const path of paths) if (path.to === "here") return path.service;
  return null;
}

/** The other nodes that have the service, the preferred one first. */
export function nextHopsOf({ paths }: ReachableService): readonly NextHop[] {
  return paths.flatMap((path) => (path.to === "node" ? [path.nextHop] : []));
}

const spiffePattern = /^spiffe:\/\/([a-z0-9.-]{1,253})\/node\/([a-z0-9-]{1,63})\/envoy$/;
const hostPattern = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Whether requests can be sent there: what a peer said becomes part of names, and of TLS. */
export const isNextHop: (nextHop: NextHop) => boolean = onceForEach(looksLikeNode);

function looksLikeNode({ host, port, sni, spiffeId }: NextHop): boolean {
  // Envoy takes no address with a zone, such as `fe80::1%eth0`.
  const isHost = (isIP(host) !== 0 && !host.includes("%")) || hostPattern.test(host);
  const isNode = spiffePattern.test(spiffeId) && hostPattern.test(nodeNameOf({ spiffeId }));
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  return isHost && isPort && hostPattern.test(sni) && isNode;
}

/** The full name of the node by which its certificate has to be good. */
export function nodeNameOf({ spiffeId }: Pick<NextHop, "spiffeId">): string {
  return spiffeId.replace(spiffePattern, "$2.$1");
}

/** Throws {@link EnvoyError} `next_hop_invalid`. */
export function checkNextHop(nextHop: NextHop): void {
  if (isNextHop(nextHop)) return;
  throw new EnvoyError("next_hop_invalid", `${JSON.stringify(nextHop)} is no node's Envoy`);
}
