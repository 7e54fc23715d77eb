import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  type ReadStreamRequest,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import type { StarError } from "../errors.ts";
import { starService } from "../service.ts";
import { GrpcSources } from "./grpc-sources.ts";
import {
  type AskedRange,
  type SourceAddress,
  type SourceMessage,
  type SourceProvider,
  type SourceStream,
  sourceError,
} from "./source.ts";

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
  const servers: Server[] = [];
  const provider = new GrpcSources();
  return {
    provider,
    async add(source) {
      const server = new Server();
      servers.push(server);
      server.addService(
        { ReadStream: starService.ReadStream },
        { ReadStream: (call: ReadStreamCall) => void send(source, call) },
      );
      const port = await listen(server, "127.0.0.1:0", ServerCredentials.createInsecure());
      return { url: `127.0.0.1:${port}`, path: "file", token: "" };
    },
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]();
      for (const server of servers) server.forceShutdown();
    },
  };
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
