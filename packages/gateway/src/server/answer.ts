import type { ServerResponse } from "node:http";
import type { AnswerHeaders } from "../service.ts";
import type { Refusal } from "./refusal.ts";

/** Writes an answer in one piece. `headers` are names and values in turn. */
export function sendJson(
  response: ServerResponse,
  status: number,
  mediaType: string,
  body: unknown,
  headers: readonly string[],
): void {
  if (response.destroyed || response.headersSent) return;
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  response.writeHead(status, [
    "content-type",
    `${mediaType}; charset=utf-8`,
    "content-length",
    String(length),
    ...headers,
  ]);
  // What is all ASCII needs no encoding.
  response.end(text, length === text.length ? "latin1" : "utf8");
}

/** Writes why a request is refused. */
export function sendRefusal(
  response: ServerResponse,
  { status, error, headers }: Refusal,
  mediaType: string,
  requestId: string,
): void {
  sendJson(response, status, mediaType, { errors: [error] }, ["x-request-id", requestId, ...headers]);
}

/** The headers of a client's answer: the request's id, and what services set by rule. */
export function answerHeaders(requestId: string, answer: AnswerHeaders | undefined): string[] {
  const headers = ["x-request-id", requestId];
  for (const [name, values] of answer ?? []) {
    for (const value of values) headers.push(name, value);
  }
  return headers;
}
