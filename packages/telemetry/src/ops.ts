import type { IncomingMessage, ServerResponse } from "node:http";
import type { Metrics } from "./metrics.ts";

/** Whether the process does its work. `reasons` say what is missing; while ready, what should be mended. */
export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

/** Whether the process can still be helped without a restart; `reasons` say why not. */
export type Liveness = { readonly live: boolean; readonly reasons: readonly string[] };

export type OpsParts = {
  readonly metrics: Metrics;
  readonly ready: () => Readiness;
  /** Default: live as long as it answers. */
  readonly live?: () => Liveness;
};

/** Answers a request when it is for one of the operations endpoints; false when it is not. */
export type OpsHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

type Answer = { readonly status: number; readonly contentType: string; readonly body: string };

/**
 * The operations endpoints of a process, for GET and HEAD:
 *
 * - `/healthz`: `{ live, reasons }`, 200 or 503
 * - `/readyz`: `{ ready, reasons }`, 200 or 503
 * - `/metrics`: Prometheus' text format
 *
 * They have no access control: serve them on loopback or on a private socket.
 */
export function createOps(parts: OpsParts): OpsHandler {
  const live = parts.live ?? (() => ({ live: true, reasons: [] }));
  const endpoints: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    "/healthz": () => {
      const liveness = live();
      return json(liveness.live ? 200 : 503, { live: liveness.live, reasons: liveness.reasons });
    },
    "/readyz": () => {
      const readiness = parts.ready();
      return json(readiness.ready ? 200 : 503, { ready: readiness.ready, reasons: readiness.reasons });
    },
    "/metrics": async () => ({
      status: 200,
      contentType: parts.metrics.contentType,
      body: await parts.metrics.text(),
    }),
  };
  return (request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined;
    if (endpoint === undefined) return false;
    void respond(request, response, endpoint);
    return true;
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  endpoint: () => Answer | Promise<Answer>,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  let answer: Answer;
  try {
    answer = await endpoint();
  } catch (error) {
    answer = json(500, { reasons: [`the answer failed: ${error instanceof Error ? error.message : error}`] });
  }
  response.writeHead(answer.status, {
    "content-type": answer.contentType,
    "content-length": Buffer.byteLength(answer.body),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

function json(status: number, body: object): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(body)}\n` };
}
