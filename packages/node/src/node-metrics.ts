import type { IncomingMessage, ServerResponse } from "node:http";
import { socketPath } from "@catalyst/rpc";
import type { Metrics } from "@catalyst/telemetry";
import { type Exposition, mergeExpositions } from "./exposition.ts";
import { getFromSocket } from "./socket-probe.ts";

export type NodeMetricsParts = {
  readonly dataDir: string;
  readonly metrics: Metrics;
  readonly adminSocket: string;
  /** Brings the supervisor's own metrics up to date, before each scrape. */
  readonly sample: () => void;
};

const timeoutMs = 5_000;

/**
 * Serves `/metrics` of the whole node: the supervisor's own, the other processes' and Envoy's. A process that
 * does not answer is left out and counted by `catalyst_scrape_missing`.
 */
export function nodeMetrics(
  parts: NodeMetricsParts,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const missing = parts.metrics.gauge("scrape_missing", "Whether a process left out of this scrape.", ["of"]);
  const sources = [
    { process: "orchestrator", socket: socketPath(parts.dataDir, "orchestrator"), path: "/metrics" },
    { process: "gateway", socket: socketPath(parts.dataDir, "gateway"), path: "/metrics" },
    { process: "envoy", socket: parts.adminSocket, path: "/stats/prometheus?usedonly" },
  ];
  const gather = async (): Promise<string> => {
    const expositions: Exposition[] = [];
    parts.sample();
    await Promise.all(
      sources.map(async ({ process, socket, path }) => {
        const answer = await getFromSocket(socket, path, AbortSignal.timeout(timeoutMs)).catch(() => null);
        missing.set({ of: process }, answer?.status === 200 ? 0 : 1);
        if (answer?.status === 200) expositions.push({ process, text: answer.body });
      }),
    );
    expositions.sort((a, b) => (a.process < b.process ? -1 : 1));
    return mergeExpositions([{ process: "supervisor", text: await parts.metrics.text() }, ...expositions]);
  };
  return (request, response) => {
    if (request.url !== "/metrics") return false;
    gather().then(
      (text) => response.writeHead(200, { "content-type": parts.metrics.contentType }).end(text),
      () => response.writeHead(500).end("The metrics could not be gathered.\n"),
    );
    return true;
  };
}
