import type { ServerResponse } from "node:http";
import type { OperationResult, ResultStream } from "../engine/engine.ts";
import { writeResult } from "../engine/json-text.ts";

export type EventStreamOptions = {
  /** How often a quiet stream gives a sign of life, in ms. */
  readonly keepAliveMs: number;
  /** What may wait for a slow reader; with more it is cut off. */
  readonly maxBufferedBytes: number;
  readonly headers: readonly string[];
  /** Called with the bytes that wait when a reader is cut off. */
  readonly onSlow: (bufferedBytes: number) => void;
};

/**
 * Answers with server-sent events, in the distinct connections mode of the GraphQL over SSE protocol: `next` with each
 * result, then `complete`. Comments in between keep proxies from cutting a quiet stream. Resolves when the stream is
 * over, or the client gone.
 */
export async function sendEventStream(
  response: ServerResponse,
  answer: ResultStream | OperationResult,
  options: EventStreamOptions,
): Promise<void> {
  const stream = Symbol.asyncIterator in answer ? answer : null;
  if (response.destroyed) {
    await stream?.return?.();
    return;
  }
  response.writeHead(200, [
    ...["content-type", "text/event-stream; charset=utf-8", "cache-control", "no-cache"],
    ...["x-accel-buffering", "no", ...options.headers],
  ]);
  response.flushHeaders();
  const write = (text: string) => {
    response.write(text);
    if (response.writableLength <= options.maxBufferedBytes || response.destroyed) return;
    options.onSlow(response.writableLength);
    response.destroy();
  };
  const alive = setInterval(() => write(":\n\n"), options.keepAliveMs);
  response.on("close", () => {
    clearInterval(alive);
    void stream?.return?.();
  });
  for await (const result of stream ?? [answer]) write(nextEvent(result as OperationResult));
  clearInterval(alive);
  response.end("event: complete\ndata: \n\n");
}

function nextEvent(result: OperationResult): string {
  return `event: next\ndata: ${writeResult(result)}\n\n`;
}
