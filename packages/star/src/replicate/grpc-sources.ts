import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { ReadStreamRequestSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { TlsIdentity } from "../connection/credentials.ts";
import { diagnose } from "../connection/diagnosis.ts";
import { type Call, type Listener, StarChannel } from "../connection/star-channel.ts";
import { parseStarUrl, type StarUrl } from "../connection/star-url.ts";
import type { StarError } from "../errors.ts";
import { starService } from "../service.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { GrpcBatch } from "./grpc-batch.ts";
import {
  type AskedRange,
  inTurns,
  type SourceAddress,
  type SourceMessage,
  type SourceProvider,
  type SourceStream,
  sourceError,
} from "./source.ts";

export type GrpcSourcesOptions = {
  /** How `https` sources are met; default: with the authorities that Node knows, and no certificate of our own. */
  readonly identity?: TlsIdentity;
  /** Connections that are kept; default 64. The one that was used least lately goes first. */
  readonly most?: number;
};

/** So many bytes, or pieces of them, are taken ahead of who reads them, and what comes with them at once. */
const bytesAhead = 64 * 1024;
const piecesAhead = 64;

/** Messages that are larger cost both ends less, and are not held here. */
const largestChunk = 1024 * 1024;

type Pooled = { readonly channel: StarChannel; users: number };
type Begin = (request: Uint8Array, listener: Listener) => Call;

/** Sources over gRPC: one connection for each star, kept for the next file. */
export class GrpcSources implements SourceProvider {
  readonly #identity: TlsIdentity;
  readonly #most: number;
  /** In the order in which they were used last. */
  readonly #pool = new Map<string, Pooled>();

  constructor({ identity = new TlsIdentity(), most = 64 }: GrpcSourcesOptions = {}) {
    this.#identity = identity;
    this.#most = most;
  }

  open(source: SourceAddress, range: AskedRange): SourceStream {
    const begin = this.#calling(source.url, starService.ReadStream.path);
    return new GrpcStream(begin, source, range, this.#identity);
  }

  openAll(url: string, files: readonly SourceAddress[]): readonly SourceStream[] {
    const begin = this.#calling(url, starService.ReadFiles.path);
    const openAlone = (source: SourceAddress) => this.open(source, { offset: 0, length: 0 });
    return new GrpcBatch(begin, files, openAlone).streams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { channel } of this.#pool.values()) channel.close();
    this.#pool.clear();
  }

  #calling(url: string, path: string): Begin {
    const star = parseStarUrl(url);
    return (request, listener) => {
      const pooled = this.#take(star);
      const release = () => {
        pooled.users -= 1;
        this.#shrink();
      };
      const onEnd: Listener["onEnd"] = (code, details) => {
        release();
        listener.onEnd(code, details);
      };
      try {
        return pooled.channel.call(
          path,
          request,
          { priority: inTurns },
          { onPiece: listener.onPiece, onEnd },
        );
      } catch (error) {
        release();
        throw error;
      }
    };
  }

  #take(star: StarUrl): Pooled {
    const key = `${star.isSecure} ${star.target}`;
    const pooled = this.#pool.get(key) ?? { channel: new StarChannel(star, this.#identity), users: 0 };
    pooled.users += 1;
    this.#pool.delete(key);
    this.#pool.set(key, pooled);
    this.#shrink();
    return pooled;
  }

  #shrink(): void {
    for (const [key, { channel, users }] of this.#pool) {
      if (this.#pool.size <= this.#most) return;
      if (users > 0) continue;
      channel.close();
      this.#pool.delete(key);
    }
  }
}

class GrpcStream implements SourceStream {
  readonly #call: Call;
  readonly #reader: ChunkReader;
  readonly #source: SourceAddress;
  readonly #identity: TlsIdentity;
  readonly #messages: SourceMessage[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #end: { readonly error: StarError | null } | null = null;
  #wake: (() => void) | null = null;

  constructor(begin: Begin, source: SourceAddress, { offset, length }: AskedRange, identity: TlsIdentity) {
    this.#source = source;
    this.#identity = identity;
    const request = create(ReadStreamRequestSchema, {
      path: source.path,
      transferToken: source.token,
      offset: BigInt(offset),
      length: BigInt(length),
      chunkBytes: largestChunk,
    });
    const reader = new ChunkReader((message) => this.#receive(message));
    this.#reader = reader;
    this.#call = begin(toBinary(ReadStreamRequestSchema, request), {
      onPiece: (bytes, isLast) => reader.push(bytes, isLast),
      onEnd: (code, details) => {
        this.#end = { error: code === status.OK ? null : sourceError(source, code, details) };
        this.#wake?.();
      },
    });
  }

  /** A large first message takes its time on a slow line. */
  get heard(): number {
    return this.#reader.begun;
  }

  async next(): Promise<SourceMessage | null> {
    if (this.#messages.length === 0 && this.#end === null) {
      if (this.#isPaused) this.#readOn();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#waitingBytes -= message.chunk.length;
      return message;
    }
    if (this.#end?.error) throw await this.#explained(this.#end.error);
    return null;
  }

  /** Where there is no connection TLS may be why. */
  async #explained(error: StarError): Promise<StarError> {
    if (error.code !== "source_unreachable") return error;
    return (await diagnose(this.#source.url, this.#identity)) ?? error;
  }

  cancel(): void {
    this.#messages.length = 0;
    this.#call.cancel(status.CANCELLED, "no more is wanted");
  }

  #receive(message: SourceMessage): void {
    this.#messages.push(message);
    this.#waitingBytes += message.chunk.length;
    const isFull = this.#waitingBytes >= bytesAhead || this.#messages.length >= piecesAhead;
    if (!this.#isPaused && isFull) {
      this.#isPaused = true;
      this.#call.pause();
    }
    this.#wake?.();
  }

  #readOn(): void {
    this.#isPaused = false;
    this.#call.resume();
  }
}
