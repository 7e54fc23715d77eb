import { mostServicesInStatus } from "@catalyst/rpc";
import type { MeshStatus, NodeStatus } from "../src/status-reader.ts";

/** The wall time of the samples. */
export const sampleTime = "2026-03-01T12:00:00.000Z";

const base = { release: "0.1.0", pid: 100, startedAt: "2026-03-01T11:00:00.000Z" };

/** A node with its three processes; the orchestrator has been started again. */
export const sampleNode: NodeStatus = {
  ...base,
  process: "supervisor",
  state: "degraded",
  reasons: ["orchestrator is unready: not yet configured"],
  details: {
    node: "n1",
    domain: "acme.catalyst.internal",
    endpoints: [{ name: "GraphQL", url: "http://127.0.0.1:10000/graphql" }],
    children: [
      child("envoy", "ready", 101, 0, null),
      child("orchestrator", "unready", 104, 2, "exit code 1"),
      child("gateway", "backoff", null, 1, "killed by SIGKILL"),
    ],
    replaying: 0,
  },
};

function child(
  name: string,
  state: NodeStatus["details"]["children"][number]["state"],
  pid: number | null,
  restarts: number,
  lastExit: string | null,
): NodeStatus["details"]["children"][number] {
  return {
    name,
    state,
    pid,
    restarts,
    since: "2026-03-01T11:57:00.000Z",
    lastExit,
    lastError: null,
    reason: null,
  };
}

type Service = MeshStatus["details"]["services"][number];

export function sampleService(name: string, state: Service["state"] = "serving"): Service {
  return {
    service: { name, protocol: "graphql", url: `http://127.0.0.1:4001/${name}/graphql`, timeoutMs: 15_000 },
    host: `${name}.acme.catalyst.internal`,
    origin: "configuration",
    state,
    reasons: [],
    lease: null,
  };
}

/** What the orchestrator says of these services, and of one Envoy that rejected a cluster. */
export function sampleMesh(services: Service[], reasons: string[] = []): MeshStatus {
  const rejected = { message: "Proto constraint\n  validation failed", at: "2026-03-01T11:59:30.000Z" };
  const type = (name: string, subscribed: "*" | number, held: number) => {
    return { type: name, subscribed, sent: 3, acknowledged: held, outstanding: 0, rejected: null };
  };
  return {
    ...base,
    process: "orchestrator",
    state: reasons.length > 0 ? "degraded" : "ready",
    reasons,
    details: {
      node: "n1",
      domain: "acme.catalyst.internal",
      counts: {
        serving: services.filter(({ state }) => state === "serving").length,
        failed: services.filter(({ state }) => state === "failed").length,
        pending: 0,
        degraded: 0,
      },
      services: services.slice(0, mostServicesInStatus),
      proxies: [
        {
          node: "n1.acme.catalyst.internal",
          connectedAt: "2026-03-01T09:00:00.000Z",
          protocol: "delta",
          types: [
            { ...type("Cluster", "*", 3), outstanding: 1, rejected },
            type("ClusterLoadAssignment", 2, 2),
            type("Listener", "*", 2),
          ],
        },
      ],
      quarantined: [],
      gateway: { connected: true, report: null },
      peering: null,
      credentials: null,
    },
  };
}
