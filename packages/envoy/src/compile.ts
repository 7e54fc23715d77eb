import type { ServiceDeclaration } from "@catalyst/rpc";
import type { Resource } from "@catalyst/xds";
import { compileCredentials } from "./auth.ts";
import { gatewayCluster, publicKeysCluster, serviceCluster } from "./cluster.ts";
import { listeners } from "./listener.ts";
import { checkMesh, type MeshInput } from "./mesh.ts";
import { anyCaseScope, anyHostScope, gatewayScope, serviceScope } from "./scope.ts";
import { routeService } from "./service.ts";
import { compileTrust } from "./tls.ts";

/**
 * All that a node's Envoy has whatever its services are: listeners, the gateway, what is served outside the
 * domain, and the trust in services' certificates. With a TLS listener the caller adds its secret.
 *
 * Throws {@link EnvoyError} `mesh_invalid`.
 */
export function compileNode(mesh: MeshInput): Resource[] {
  checkMesh(mesh);
  return [
    gatewayCluster(mesh),
    ...(mesh.keysSocketPath === undefined ? [] : [publicKeysCluster(mesh.keysSocketPath)]),
    compileTrust(mesh.upstreamTrust),
    ...listeners(mesh),
    anyHostScope(mesh),
    anyCaseScope(),
    gatewayScope(mesh),
    ...(mesh.auth === undefined ? [] : compileCredentials(null)),
  ];
}

/**
 * One service's own resources, which no other service shares: its cluster, its endpoints, its scope; less than
 * 2 kB in all. Throws {@link EnvoyError} `service_invalid`.
 *
 * ```ts
 * compileService({ name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql", timeoutMs: 15_000 }, mesh);
 * ```
 */
export function compileService(service: ServiceDeclaration, mesh: MeshInput): Resource[] {
  const routed = routeService(service, mesh);
  return [...serviceCluster(routed), serviceScope(routed, mesh)];
}
