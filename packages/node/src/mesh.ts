import type { MeshInput } from "@catalyst/envoy";
import { parseAddress } from "./address.ts";
import type { NodeConfig } from "./options.ts";
import { paths } from "./paths.ts";

/** What Envoy's resources are made from, as the configuration has it. */
export function meshOf(config: NodeConfig, dataDir: string): MeshInput {
  const { ingress, ingressTls, egress } = config.mesh.listen;
  return {
    domain: config.node.domain,
    node: config.node.name,
    listen: {
      ingress: parseAddress(ingress),
      ingressTls: ingressTls === undefined ? undefined : parseAddress(ingressTls),
      egress: parseAddress(egress),
    },
    gateway: { socketPath: paths.graphqlSocket(dataDir) },
    accessLog: config.mesh.envoy.accessLog,
    requestTimeoutMs: config.mesh.graphql.requestTimeoutMs + 5_000,
  };
}
