import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

/** Answers a request as the Fetch standard has it. */
export type FetchFunction = (request: Request) => Response | Promise<Response>;

/** Such a function, or an object that has one: a Hono app, for example. */
export type FetchHandler = FetchFunction | { readonly fetch: FetchFunction };

/**
 * Answers one of Node's requests with a handler of the Fetch kind. Bodies stream both ways, and the request's
 * `signal` aborts when the client goes away. Rejects with what the handler threw.
 */
export async function answerWithFetch(
  handler: FetchHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const request = toRequest(incoming, gone.signal);
  const response = await ("fetch" in handler ? handler.fetch(request) : handler(request));
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "set-cookie") outgoing.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies);
  if (response.body === null || incoming.method === "HEAD") {
    await response.body?.cancel();
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  try {
    await pipeline(toReadable(response.body), outgoing);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

/**
 * As a Node stream, because a pipeline waits for a pending read before it gives up an iterable. Some libraries
 * bring a `Response` of their own, whose body is no `ReadableStream` but can be iterated like one.
 */
function toReadable(body: ReadableStream): Readable {
  return body instanceof ReadableStream ? Readable.fromWeb(body as NodeReadableStream) : Readable.from(body);
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headers)) {
    for (const value of [values ?? []].flat()) headers.append(name, value);
  }
  const { method = "GET", url = "/" } = incoming;
  // The path is joined as text: resolving it would read "//elsewhere/" as another host.
  const target = new URL(`http://${headers.get("host") ?? "localhost"}${url.startsWith("/") ? url : "/"}`);
  const bodyless = method === "GET" || method === "HEAD";
  const body = bodyless ? null : (Readable.toWeb(incoming) as ReadableStream);
  const init = { method, headers, body, duplex: "half" as const, signal };
  return new Request(target, init);
}
