import { defaultDataDir, socketPath } from "@catalyst/rpc";

/** Which node a service belongs to; both left out: the one that the environment names, or the default one. */
export type NodeLocation = {
  /** Path of the orchestrator's socket. */
  readonly socket?: string | undefined;
  /** The node's data directory (`node.dataDir` of its configuration). */
  readonly dataDir?: string | undefined;
};

/**
 * The socket on which a service finds its node. In this order: `socket`, `dataDir`, `CATALYST_SOCKET`,
 * `CATALYST_NODE_DATA_DIR`, and the default data directory of the node `CATALYST_NODE_NAME` (default `n1`):
 * `catalyst/<name>` in `$XDG_DATA_HOME` or `~/.local/share`. An empty variable counts as unset.
 */
export function findNodeSocket(
  location: NodeLocation,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (location.socket !== undefined) return location.socket;
  if (location.dataDir !== undefined) return socketPath(location.dataDir, "orchestrator");
  const socket = environment["CATALYST_SOCKET"];
  if (socket) return socket;
  const { CATALYST_NODE_DATA_DIR: named, CATALYST_NODE_NAME: node, XDG_DATA_HOME: xdg } = environment;
  return socketPath(named || defaultDataDir(node || "n1", xdg), "orchestrator");
}
