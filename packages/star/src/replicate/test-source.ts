import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  type ReadStreamRequest,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { type Answering, type Listening, listen } from "../connection/listen.ts";
import { StarError } from "../errors.ts";
import { starService } from "../service.ts";
import {
  type AskedRange,
  type SourceAddress,
  type SourceMessage,
  type SourceProvider,
  type SourceStream,
  sourceError,
} from "./source.ts";
import { StarSources } from "./star-sources.ts";

/** What goes wrong with one stream, when so many bytes of it have been sent. */
export type Fault = {
  readonly after: number;
  readonly act:
    | { readonly kind: "status"; readonly code: status }
    | { readonly kind: "frozen" }
    | { readonly kind: "corrupt" }
    /** Ends as if that were all. */
    | { readonly kind: "short" }
    | { readonly kind: "more" }
    /** The file has other bytes from then on; the stream goes on with those, or breaks. */
    | { readonly kind: "becomes"; readonly bytes: Uint8Array; readonly breaks?: boolean };
};

/** A star as a script: a file, and what goes wrong with the streams of it, one after the other. */
export class TestSource {
  bytes: Uint8Array;
  chunkBytes = 4_096;
  /** Old ones know no ranges; "none" knows them, and never says whether its file is the same. */
  kind: "ranged" | "old" | "none" = "ranged";
  /** Of the streams that are opened next, in turn; null: nothing goes wrong. */
  faults: (Fault | null)[] = [];
  /** Of all streams that are opened when there is no fault any more. */
  refusal: status | null = null;
  /** How long each message takes, in ms. */
  pauseMs = 0;
  /** What first messages say in place of the truth. */
  lie: Partial<SourceMessage> = {};
  readonly asked: AskedRange[] = [];
  sent = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  async *answer(asked: AskedRange, signal: AbortSignal): AsyncGenerator<SourceMessage, void> {
    this.asked.push(asked);
    const fault = this.faults.shift() ?? null;
    if (fault === null && this.refusal !== null) throw refused(this.refusal);
    const { bytes } = this;
    const from = this.kind === "old" ? 0 : asked.offset;
    if (from > bytes.length) throw refused(status.OUT_OF_RANGE);
    const to =
      this.kind === "old" || asked.length === 0 ? bytes.length : Math.min(bytes.length, from + asked.length);
    let sent = 0;
    for (let at = from; at < to || (at === from && this.kind !== "old"); at += this.chunkBytes) {
      if (this.pauseMs > 0) await sleep(this.pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (to > this.bytes.length && this.kind !== "old") throw refused(status.ABORTED);
      const chunk = new Uint8Array(this.bytes.subarray(at, Math.min(to, at + this.chunkBytes)));
      if (fault !== null && sent + chunk.length > fault.after) {
        if (fault.act.kind === "short") return;
        await this.#fail(fault, chunk, signal);
      }
      yield { chunk, validator: new Uint8Array(0), ...(at === from ? this.#first(bytes, from) : {}) };
      sent += chunk.length;
      this.sent += chunk.length;
    }
    if (fault?.act.kind === "more") yield { chunk: new Uint8Array(1), validator: new Uint8Array(0) };
    else if (fault !== null && fault.after >= sent) await this.#fail(fault, new Uint8Array(1), signal);
    if (this.bytes !== bytes && this.kind !== "old") throw refused(status.ABORTED);
  }

  #first(bytes: Uint8Array, offset: number): Partial<SourceMessage> {
    if (this.kind === "old") return {};
    const validator =
      this.kind === "none" ? new Uint8Array(0) : hash("sha256", bytes, "buffer").subarray(0, 16);
    return { offset: BigInt(offset), totalSize: BigInt(bytes.length), validator, ...this.lie };
  }

  async #fail({ act }: Fault, chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    if (act.kind === "status") throw refused(act.code);
    if (act.kind === "corrupt" && chunk[0] !== undefined) chunk[0] ^= 1;
    if (act.kind === "becomes") {
      this.bytes = act.bytes;
      if (act.breaks === true) throw refused(status.UNAVAILABLE);
    }
    if (act.kind === "frozen") await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
}

/** What a script ends with. */
function refused(code: status): StarError {
  return sourceError({ url: "", path: "", token: "" }, code, "as the script says");
}

/** A way to reach scripts. */
export type TestHost = AsyncDisposable & {
  readonly provider: SourceProvider;
  /** Where the script is, in the terms of a request. */
  add(source: TestSource): Promise<SourceAddress>;
};

/** Reaches scripts in this process, without a network. */
export function localHost(): TestHost {
  const sources: TestSource[] = [];
  const provider: SourceProvider = {
    open: ({ path }, range) =>
      new LocalStream(sources[Number(path)] ?? new TestSource(new Uint8Array(0)), range),
    [Symbol.asyncDispose]: async () => undefined,
  };
  return {
    provider,
    add: async (source) => ({ url: "local", path: String(sources.push(source) - 1), token: "" }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

class LocalStream implements SourceStream {
  readonly #messages: AsyncGenerator<SourceMessage, void>;
  readonly #cancelled = new AbortController();
  readonly #end: Promise<never>;

  constructor(source: TestSource, range: AskedRange) {
    const { signal } = this.#cancelled;
    this.#messages = source.answer(range, signal);
    this.#end = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(refused(status.CANCELLED)));
    });
    this.#end.catch(() => undefined);
  }

  async next(): Promise<SourceMessage | null> {
    const next = this.#messages.next();
    next.catch(() => undefined);
    const { value } = await Promise.race([next, this.#end]);
    return value ?? null;
  }

  cancel(): void {
    this.#cancelled.abort();
  }
}

/** Reaches scripts over gRPC on loopback, each at a star of its own. */
export function grpcHost(): TestHost {
  return loopback(new StarSources(), (source) => ({ grpc: grpcOf(source, false) }));
}

/** Reaches them by HTTP, those that know ranges: the others are too old for it. Rejects at the end where nothing came so. */
export function httpHost(): TestHost {
  let asked = 0;
  const host = loopback(new StarSources({ httpFrom: 1 }), (source) => ({
    grpc: grpcOf(source, true),
    http: (request, response) => {
      asked += 1;
      void sendByHttp(source, request, response);
    },
  }));
  return {
    ...host,
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      if (asked === 0 && !host.areAllOld()) throw new Error("nothing was asked for by HTTP");
    },
  };
}

function loopback(
  provider: SourceProvider,
  answering: (source: TestSource) => Answering,
): TestHost & { areAllOld(): boolean } {
  const stops: Listening["stop"][] = [];
  const sources: TestSource[] = [];
  return {
    provider,
    areAllOld: () => sources.every(({ kind }) => kind !== "ranged"),
    async add(source) {
      sources.push(source);
      const { port, stop } = await listen(answering(source), "127.0.0.1", 0);
      stops.push(stop);
      return { url: `127.0.0.1:${port}`, path: "file", token: "" };
    },
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]();
      for (const stop of stops) await stop(0);
    },
  };
}

function grpcOf(source: TestSource, servesHttp: boolean): Server {
  const server = new Server();
  const answer = (call: ReadStreamCall) => {
    const { httpFrom, offset, length } = call.request;
    const left = BigInt(source.bytes.length) - offset;
    const isLong = httpFrom > 0n && (length === 0n || length > left ? left : length) >= httpFrom;
    if (servesHttp && isLong && source.kind === "ranged") {
      call.write(create(ReadStreamResponseSchema, { http: true }));
      call.end();
    } else void send(source, call);
  };
  server.addService({ ReadStream: starService.ReadStream }, { ReadStream: answer });
  return server;
}

async function sendByHttp(
  source: TestSource,
  { headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  const asked = { offset: Number(from), length: to === "" ? 0 : Number(to) - Number(from) + 1 };
  try {
    let left = Number.NaN;
    let last: Uint8Array | undefined;
    for await (const message of source.answer(asked, gone.signal)) {
      if (!response.headersSent) left = beginByHttp(asked, message, response);
      left -= message.chunk.length;
      // The last bytes show that all is well.
      if (left === 0) last = message.chunk;
      else await new Promise((resolve) => response.write(message.chunk, resolve));
    }
    response.end(last);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else
      response
        .writeHead(500, { "content-length": 6, "grpc-status": (error as StarError).status })
        .end("script");
  }
}

/** Returns how many bytes are to come. */
function beginByHttp(asked: AskedRange, message: SourceMessage, response: ServerResponse): number {
  const [offset, totalSize] = [Number(message.offset), Number(message.totalSize)];
  const left = totalSize - offset;
  const bytes = asked.length === 0 ? left : Math.min(left, asked.length);
  if (bytes === 0) throw new StarError("range_invalid", "there is nothing");
  response.writeHead(206, {
    "content-length": bytes,
    "content-range": `bytes ${offset}-${offset + bytes - 1}/${totalSize}`,
    etag: `"${Buffer.from(message.validator).toString("hex")}"`,
  });
  return bytes;
}

type ReadStreamCall = ServerWritableStream<ReadStreamRequest, ReadStreamResponse>;

async function send(source: TestSource, call: ReadStreamCall): Promise<void> {
  const gone = new AbortController();
  call.on("cancelled", () => gone.abort());
  const { offset, length } = call.request;
  try {
    for await (const message of source.answer(
      { offset: Number(offset), length: Number(length) },
      gone.signal,
    )) {
      await new Promise((resolve) => call.write(create(ReadStreamResponseSchema, defined(message)), resolve));
    }
    call.end();
  } catch (error) {
    call.emit("error", { code: (error as StarError).status, details: "script" });
  }
}

function defined({ chunk, validator, offset, totalSize }: SourceMessage) {
  return {
    chunk,
    validator,
    ...(offset === undefined ? {} : { offset }),
    ...(totalSize === undefined ? {} : { totalSize }),
  };
}
