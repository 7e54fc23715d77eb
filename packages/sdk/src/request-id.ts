import type { IncomingMessage } from "node:http";
import { requestIdOf as readRequestId } from "@catalyst/telemetry";

const known = new WeakMap<IncomingMessage | Request, string>();

/**
 * The id under which a request is known all the way from Envoy (`x-request-id`): for log lines, and to pass on
 * with requests that the service makes itself. A request that came without one, or with one that is not fit for
 * a log, is given a new one, the same at every call.
 *
 * @example
 * ```ts
 * const answer = await fetch(url, { headers: { "x-request-id": requestIdOf(request) } });
 * ```
 */
export function requestIdOf(request: IncomingMessage | Request): string {
  const before = known.get(request);
  if (before !== undefined) return before;
  const id = readRequestId(request.headers);
  known.set(request, id);
  return id;
}
