import type { ServerResponse } from "node:http";
import type { AnswerHeaders } from "../service.ts";
import type { Refusal } from "./refusal.ts";

/** Writes an answer in one piece. `headers` are names and values in turn. */
export function sendJson(
  response: ServerResponse,
  status: number,
  mediaType: string,
  json: string | Buffer,
  headers: readonly string[],
): void {
  if (response.destroyed || response.headersSent) return;
  const length = Buffer.byteLength(json);
  response.writeHead(status, [
    "content-type",
    `${mediaType}; charset=utf-8`,
    "content-length",
    String(length),
    ...headers,
  ]);
  // Text that is all ASCII needs no encoding.
  if (typeof json === "string") response.end(json, length === json.length ? "latin1" : "utf8");
  else response.end(json);
}

/** Writes why a request is refused. */
export function sendRefusal(
  response: ServerResponse,
  { status, error, headers }: Refusal,
  mediaType: string,
  requestId: string,
): void {
  const json = JSON.stringify({ errors: [error] });
  sendJson(response, status, mediaType, json, ["x-request-id", requestId, ...headers]);
}

/** The headers of a client's answer: the request's id, and what services set by rule. */
export function answerHeaders(requestId: string, answer: AnswerHeaders | undefined): string[] {
  const headers = ["x-request-id", requestId];
  for (const [name, values] of answer ?? []) {
    for (const value of values) headers.push(name, value);
  }
  return headers;
}
