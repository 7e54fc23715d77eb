import { randomUUID } from "node:crypto";

/** The header that carries a request's id from Envoy to the service; Envoy sets it when the client did not. */
export const REQUEST_ID_HEADER = "x-request-id";

/** A client chooses the id, so it is bounded in length and in what it may hold. */
const usable = /^[\w.:/-]{1,128}$/;

/** Headers as `fetch` has them, or as `node:http` has them: by name in lower case. */
export type RequestHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The id that a request came with; a new one when it has none, or one that is not fit for a log. */
export function requestIdOf(headers: RequestHeaders): string {
  const given = typeof headers.get === "function" ? headers.get(REQUEST_ID_HEADER) : fieldOf(headers);
  return typeof given === "string" && usable.test(given) ? given : newRequestId();
}

/** A random id (UUID version 4). */
export function newRequestId(): string {
  return randomUUID();
}

function fieldOf(headers: RequestHeaders): unknown {
  return (headers as Readonly<Record<string, unknown>>)[REQUEST_ID_HEADER];
}
