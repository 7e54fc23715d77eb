import { parseAddress } from "@catalyst/config";
import type { MeshInput } from "@catalyst/envoy";
import type { GatewayUpdate } from "@catalyst/rpc";
import { readAuthorities } from "../identity/certificate.ts";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";

/** What Envoy's resources are made from, as the configuration has it. Throws {@link NodeError} `certificate_invalid`. */
export function meshOf(config: NodeConfig, dataDir: string): MeshInput {
  const { ingress, ingressTls, egress, mesh } = config.mesh.listen;
  const { authoritiesFile } = config.mesh.tls;
  const { required, open, maxStreamMs } = config.auth;
  return {
    domain: config.node.domain,
    node: config.node.name,
    listen: {
      ingress: parseAddress(ingress),
      ingressTls: ingressTls === undefined ? undefined : parseAddress(ingressTls),
      egress: parseAddress(egress),
      mesh: mesh === undefined ? undefined : parseAddress(mesh),
    },
    tcp: config.mesh.tcp.map(({ name, listen }) => ({ name, listen: parseAddress(listen) })),
    nodes: config.mesh.peering.insecurePlain ? "plain" : "tls",
    gateway: { socketPath: paths.graphqlSocket(dataDir) },
    keysSocketPath: paths.jwksSocket(dataDir),
    cors: corsOf(config.mesh.cors),
    auth: required ? { open, maxStreamMs, gatewaySocketPath: paths.gatewayEgressSocket(dataDir) } : undefined,
    accessLog: config.mesh.envoy.accessLog,
    upstreamTrust: authoritiesFile === undefined ? undefined : readAuthorities(authoritiesFile),
    requestTimeoutMs: config.mesh.graphql.requestTimeoutMs + 5_000,
  };
}

/**
 * Where the gateway asks services: egress, and where credentials are demanded a socket of its own, at which Envoy believes
 * it whose request it carries.
 */
export function gatewayEgressOf({ auth, mesh }: NodeConfig, dataDir: string): GatewayUpdate["egress"] {
  return auth.required
    ? { socketPath: paths.gatewayEgressSocket(dataDir) }
    : parseAddress(mesh.listen.egress);
}

function corsOf({ origins, ...rest }: NodeConfig["mesh"]["cors"]): MeshInput["cors"] {
  return origins.length === 0 ? undefined : { origins, ...rest };
}
