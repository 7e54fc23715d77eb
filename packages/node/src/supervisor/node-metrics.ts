import type { IncomingMessage, ServerResponse } from "node:http";
import { readAdmin } from "@catalyst/envoy";
import { requestSocket, socketPath } from "@catalyst/rpc";
import type { Metrics } from "@catalyst/telemetry";
import { type Exposition, mergeExpositions } from "./exposition.ts";

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
  const ask = async (process: "auth" | "orchestrator" | "gateway" | "content"): Promise<string | null> => {
    const socket = socketPath(parts.dataDir, process);
    const { status, body } = await requestSocket({ socketPath: socket, path: "/metrics", timeoutMs });
    return status === 200 ? body : null;
  };
  const sources: Readonly<Record<string, () => Promise<string | null>>> = {
    auth: () => ask("auth"),
    content: () => ask("content"),
    envoy: () => readAdmin(parts.adminSocket, { timeoutMs }).metrics(),
    gateway: () => ask("gateway"),
    orchestrator: () => ask("orchestrator"),
  };
  const gather = async (): Promise<string> => {
    const expositions: Exposition[] = [];
    parts.sample();
    await Promise.all(
      Object.entries(sources).map(async ([process, read]) => {
        const text = await read().catch(() => null);
        missing.set({ of: process }, text === null ? 1 : 0);
        if (text !== null) expositions.push({ process, text });
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
