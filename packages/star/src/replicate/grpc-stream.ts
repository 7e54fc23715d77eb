import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { ReadStreamRequestSchema } from "../../generated/orbit/v1/orbit_pb.js";
import type { Call, Listener } from "../connection/star-channel.ts";
import type { StarError } from "../errors.ts";
import { ChunkReader } from "./chunk-reader.ts";
import {
  type AskedRange,
  type SourceAddress,
  type SourceMessage,
  type SourceStream,
  sourceError,
} from "./source.ts";

/** Begins a call of a star with its request. */
export type Begin = (request: Uint8Array, listener: Listener) => Call;

/** So many bytes, or pieces of them, are taken ahead of who reads them, and what comes with them at once. */
const bytesAhead = 64 * 1024;
const piecesAhead = 64;

/** Messages that are larger cost both ends less, and are not held here. */
const largestChunk = 1024 * 1024;

/** The bytes of a file by ReadStream; `httpFrom` as in its request. */
export class GrpcStream implements SourceStream {
  readonly #call: Call;
  readonly #reader: ChunkReader;
  readonly #messages: SourceMessage[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #end: { readonly error: StarError | null } | null = null;
  #wake: (() => void) | null = null;

  constructor(begin: Begin, source: SourceAddress, { offset, length }: AskedRange, httpFrom: number) {
    const request = create(ReadStreamRequestSchema, {
      path: source.path,
      transferToken: source.token,
      offset: BigInt(offset),
      length: BigInt(length),
      chunkBytes: largestChunk,
      httpFrom: BigInt(httpFrom),
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
    if (this.#end?.error) throw this.#end.error;
    return null;
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
