import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "@catalyst/config";
import { getQuery, objectsPath, putQuery, RpcError } from "@catalyst/rpc";
import type { LeafSize } from "@catalyst/wire";
import type { ContentEvents } from "./events.ts";
import type { ObjectService } from "./object-service.ts";
import { type ByteSpan, readRange } from "./range.ts";
import { refusalOf } from "./refusal.ts";

export type BytesServerParts = {
  readonly objects: ObjectService;
  readonly events: ContentEvents;
  /** How long a client may send, or take, nothing at all; default 900,000 ms. */
  readonly stalledMs?: number;
};

const defaultStalledMs = 900_000;

/** How long a client that was refused may go on to send. */
const patienceMs = 2_000;

/** Objects that may be on their way in at once; one more is refused as `busy`. */
const mostPuts = 128;

const statusOf: Readonly<Record<string, number>> = {
  invalid_request: 400,
  object_not_found: 404,
  object_incomplete: 409,
  quota_exceeded: 413,
  range_invalid: 416,
  content_mismatch: 422,
  draining: 503,
  busy: 503,
  disk_full: 507,
};

/** Serves `PUT`, `GET` and `HEAD /objects` on the process's socket; false for other paths. */
export function createBytesServer(
  parts: BytesServerParts,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  let puts = 0;
  /** Each put holds memory and files for as long as its client takes. */
  const limited = async (run: () => Promise<void>) => {
    if (puts >= mostPuts)
      throw new RpcError("busy", `${puts} objects are being put already: try again later`);
    puts += 1;
    await run().finally(() => {
      puts -= 1;
    });
  };
  return (request, response) => {
    const [path, asked] = partsOf(request.url ?? "");
    if (path !== objectsPath) return false;
    const query = Object.fromEntries(new URLSearchParams(asked));
    const run = () => serve(parts, request, response, query);
    (request.method === "PUT" ? limited(run) : run()).catch((error: unknown) => {
      fail(parts.events, request, response, refusalOf(error));
    });
    return true;
  };
}

/** The path and the query of a request's target, which may be anything: not all of it is a URL. */
function partsOf(target: string): readonly [path: string, query: string] {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}

async function serve(
  parts: BytesServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  query: Readonly<Record<string, string>>,
): Promise<void> {
  if (request.method === "PUT") return put(parts, request, response, query);
  if (request.method === "GET" || request.method === "HEAD") return get(parts, request, response, query);
  response.setHeader("allow", "GET, HEAD, PUT");
  throw new RpcError("invalid_request", `${request.method} is not served: ask with GET, HEAD or PUT`);
}

async function put(
  { objects, stalledMs = defaultStalledMs }: BytesServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  query: Readonly<Record<string, string>>,
): Promise<void> {
  const { leafSize, ...asked } = parsed(putQuery, query);
  const answer = await objects.put(arriving(request, stalledMs), {
    namespace: asked.namespace,
    expected: asked.expected,
    name: asked.name,
    pin: asked.pin,
    chunked: asked.chunked,
    leafSize: leafSize === undefined ? undefined : (Number(leafSize) as LeafSize),
  });
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
}

/** The body, as long as it goes on to come: time that is spent with what came does not count. */
async function* arriving(request: IncomingMessage, stalledMs: number): AsyncGenerator<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = request[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => request.destroy(), stalledMs);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await pieces.return?.(undefined);
  }
}

async function get(
  { objects, events, stalledMs = defaultStalledMs }: BytesServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  query: Readonly<Record<string, string>>,
): Promise<void> {
  const { manifest, ...located } = parsed(getQuery, query);
  const object = await objects.open(located, manifest);
  const span = readRange(request.headers.range, object.sizeBytes);
  const head = () => response.writeHead(span.isPart ? 206 : 200, headersOf(object.cid, span));
  if (request.method === "HEAD") return void head().end();
  response.setTimeout(stalledMs, () => response.destroy());
  await send(await object.read(span.isPart ? span : undefined), head, response, events);
}

/** The first piece is read before anything is said, so that what fails at once is told. */
async function send(
  bytes: AsyncIterable<Uint8Array>,
  head: () => void,
  response: ServerResponse,
  events: ContentEvents,
): Promise<void> {
  const pieces = bytes[Symbol.asyncIterator]();
  let given = 0;
  try {
    const first = await pieces.next();
    head();
    const rest = async function* () {
      for (let next = first; !next.done; next = await pieces.next()) {
        yield next.value;
        given += next.value.length;
      }
    };
    await pipeline(Readable.from(rest(), { objectMode: false, highWaterMark: 1 }), response);
    events.given(given, "whole");
  } catch (error) {
    events.given(given, "cut_off");
    throw error;
  } finally {
    await pieces.return?.(undefined);
  }
}

function headersOf(cid: string, { start, end, isPart, sizeBytes }: ByteSpan): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "content-length": String(end - start),
    "accept-ranges": "bytes",
    etag: `"${cid}"`,
    ...(isPart ? { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
  };
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  query: Readonly<Record<string, string>>,
): z.output<Schema> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  throw new RpcError("invalid_request", z.prettifyError(result.error));
}

/** Tells what went wrong, or cuts the connection off when the answer has begun. */
function fail(
  events: ContentEvents,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const code = error instanceof RpcError ? error.code : "internal";
  if (code === "internal" || response.headersSent) events.requestFailed(request.method ?? "", error);
  if (response.headersSent) return void response.destroy();
  const message = error instanceof Error ? error.message : String(error);
  const body = JSON.stringify({ error: { code, message } });
  response.writeHead(statusOf[code] ?? 500, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.write(body);
  if (request.complete) response.end();
  else takeNoMore(request, response);
}

/**
 * Ends the answer when the client has stopped to send, and for a while takes what it sends: otherwise it learns that
 * the connection broke, and not why.
 */
function takeNoMore(request: IncomingMessage, response: ServerResponse): void {
  const end = () => void response.end();
  const timer = setTimeout(() => request.destroy(), patienceMs);
  request.once("close", () => clearTimeout(timer));
  request.once("end", end).once("close", end).resume();
}
