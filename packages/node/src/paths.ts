import { join } from "node:path";
import { runFolder } from "@catalyst/rpc";

/** Every file and socket of a node that more than one of its processes has to find, from its data directory. */
export const paths = {
  /** Envoy takes its configuration here, from the orchestrator. */
  xdsSocket: (dataDir: string) => join(runFolder(dataDir), "orchestrator-xds.sock"),
  /** And here, from the supervisor, while the orchestrator is away. */
  replaySocket: (dataDir: string) => join(runFolder(dataDir), "supervisor-xds.sock"),
  /** Envoy's own administration interface. */
  adminSocket: (dataDir: string) => join(runFolder(dataDir), "envoy-admin.sock"),
  /** The gateway takes GraphQL from Envoy here. */
  graphqlSocket: (dataDir: string) => join(runFolder(dataDir), "gateway-graphql.sock"),
  /** Envoy takes here what the gateway asks services: whoever may open it says which certificate a client has. */
  gatewayEgressSocket: (dataDir: string) => join(runFolder(dataDir), "envoy-gateway.sock"),
  /** The auth process gives its public keys, and where they are, to anybody here: nothing else is on this socket. */
  jwksSocket: (dataDir: string) => join(runFolder(dataDir), "auth-jwks.sock"),
  /** What Envoy last acknowledged: written by the orchestrator, read by the supervisor. */
  envoyJournal: (dataDir: string) => join(dataDir, "envoy.journal"),
  /** How services of other nodes were last reached, as the orchestrator knew. */
  remoteServices: (dataDir: string) => join(dataDir, "remote-services.journal"),
  /** Nodes that this one has had sessions with. */
  knownNodes: (dataDir: string) => join(dataDir, "known-nodes.json"),
  /** What credentials are verified by, as the orchestrator last heard: public keys, and what was revoked. */
  credentials: (dataDir: string) => join(dataDir, "credentials.json"),
  /** The configuration that children of the supervisor are started with. */
  childConfig: (dataDir: string) => join(runFolder(dataDir), "config.json"),
  bootstrap: (dataDir: string) => join(runFolder(dataDir), "envoy.json"),
  children: (dataDir: string) => join(runFolder(dataDir), "children.json"),
  /** The keys of the node. */
  keys: (dataDir: string) => join(dataDir, "keys"),
  /** Those that sign tokens and API keys; the auth process alone has them. */
  signingKeys: (dataDir: string) => join(dataDir, "keys", "auth"),
  /** Those of the organisation's authorities; the root's may be kept elsewhere. The auth process alone has them. */
  authorityKeys: (dataDir: string) => join(dataDir, "keys", "authority"),
  /** What the auth process of a root knows of its organisation; a node that has joined has none. */
  authDatabase: (dataDir: string) => join(dataDir, "auth.db"),
  /** The node's certificates and their keys, and what is believed in its organisation. */
  identity: (dataDir: string) => join(dataDir, "identity"),
  /** The audit log that a process writes. */
  audit: (dataDir: string, process: string) => join(dataDir, "audit", process),
  /** The store, unless `content.folder` names another folder. */
  content: (dataDir: string) => join(dataDir, "content"),
  logs: (dataDir: string) => join(dataDir, "logs"),
} as const;
