import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  ReadFilesRequestSchema,
  type ReadFilesResponse,
  ReadFilesResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import type { Call, Listener } from "../connection/star-channel.ts";
import { StarError } from "../errors.ts";
import { Gathered } from "./gathered.ts";
import { type SourceAddress, type SourceMessage, type SourceStream, sourceError } from "./source.ts";

/** So many messages wait for those who read the files, and so many bytes. */
const messagesAhead = 64;
const bytesAhead = 4 * 1024 * 1024;

/**
 * ReadFiles of one star: the streams of many files in a call. Messages are taken as long as not too many wait, whoever's they are: the
 * files have to be read in their order. Where nothing comes any more the files of which nothing came are opened alone.
 */
export class GrpcBatch {
  readonly streams: readonly BatchedStream[];
  readonly #call: Call;
  readonly #gathered = new Gathered();
  #isPaused = false;
  #waiting = 0;
  #waitingBytes = 0;
  #heard = 0;
  #open: number;
  #isSilent = false;

  /** `openAlone` opens a file by itself, at a star that knows no ReadFiles. */
  constructor(
    begin: (request: Uint8Array, listener: Listener) => Call,
    files: readonly SourceAddress[],
    openAlone: (source: SourceAddress) => SourceStream,
  ) {
    this.#open = files.length;
    const taken = (message: SourceMessage) => {
      this.#waiting -= 1;
      this.#waitingBytes -= bytesOf(message);
      this.#readOn();
    };
    const silent = () => {
      this.#isSilent = true;
      this.#call.cancel(status.CANCELLED, "nothing comes any more");
    };
    const ended = () => {
      this.#open -= 1;
      if (this.#open === 0) this.#call.cancel(status.CANCELLED, "no more is wanted");
    };
    this.streams = files.map(
      (source) =>
        new BatchedStream(source, {
          taken,
          ended,
          silent,
          heard: () => this.#heard,
          openAlone: () => openAlone(source),
        }),
    );
    const request = create(ReadFilesRequestSchema, {
      files: files.map(({ path, token }) => ({ path, transferToken: token })),
    });
    this.#call = begin(toBinary(ReadFilesRequestSchema, request), {
      onPiece: (bytes, isLast) => this.#gather(bytes, isLast),
      onEnd: (code, details) => this.#end(code, details),
    });
  }

  #gather(bytes: Buffer, isLast: boolean): void {
    this.#gathered.push(bytes);
    if (isLast) this.#receive(this.#gathered.take());
  }

  #receive(bytes: Buffer): void {
    const message = decoded(bytes);
    const stream = this.streams[message.file];
    if (stream === undefined) throw new StarError("source_refused", "this is of no file of the batch");
    // As in a call of its own, empty messages after a file's first are not heard of.
    const isEmpty = message.message === undefined || (stream.hasBegun && message.message.chunk.length === 0);
    if (isEmpty && !message.isLast) return;
    if (!stream.hasEnded) this.#heard += 1;
    if (message.message !== undefined) {
      this.#waiting += 1;
      this.#waitingBytes += bytesOf(message.message);
    }
    stream.receive(message);
    if (this.#isFull && !this.#isPaused) {
      this.#isPaused = true;
      this.#call.pause();
    }
  }

  #end(code: status, details: string): void {
    for (const stream of this.streams) {
      if (code === status.UNIMPLEMENTED || this.#isSilent) stream.goAlone();
      else if (code === status.OK) stream.fail(status.ABORTED, "the stream ended before this file's end");
      else stream.fail(code, details);
    }
  }

  get #isFull(): boolean {
    return this.#waiting >= messagesAhead || this.#waitingBytes >= bytesAhead;
  }

  #readOn(): void {
    if (!this.#isPaused || this.#isFull) return;
    this.#isPaused = false;
    this.#call.resume();
  }
}

function decoded(bytes: Buffer): ReadFilesResponse {
  try {
    return fromBinary(ReadFilesResponseSchema, bytes);
  } catch {
    throw new StarError("source_refused", "a message cannot be read");
  }
}

function bytesOf({ chunk, validator }: SourceMessage): number {
  return chunk.length + validator.length;
}

type BatchedStreamParts = {
  /** A message does not wait any more. */
  readonly taken: (message: SourceMessage) => void;
  /** Nothing more comes of this file. */
  readonly ended: () => void;
  /** Somebody who waited does not any more: nothing comes of any file. */
  readonly silent: () => void;
  /** How many messages came of files that are wanted. */
  readonly heard: () => number;
  readonly openAlone: () => SourceStream;
};

/** One file of a batch. */
class BatchedStream implements SourceStream {
  readonly #source: SourceAddress;
  readonly #parts: BatchedStreamParts;
  readonly #messages: SourceMessage[] = [];
  #end: { readonly error: StarError | null } | null = null;
  #alone: "wanted" | SourceStream | null = null;
  #hasBegun = false;
  #isWaitedFor = false;
  #wake: (() => void) | null = null;

  constructor(source: SourceAddress, parts: BatchedStreamParts) {
    this.#source = source;
    this.#parts = parts;
  }

  receive({ message, isLast, status: code, details }: ReadFilesResponse): void {
    if (message !== undefined) {
      this.#hasBegun = true;
      if (this.#end === null) this.#messages.push(message);
      else this.#parts.taken(message); // Nobody wants it any more.
    }
    if (isLast) this.#close(code === status.OK ? null : sourceError(this.#source, code, details));
    this.#wake?.();
  }

  fail(code: status, details: string): void {
    if (this.#end === null) this.#close(sourceError(this.#source, code, details));
  }

  /** The star knows no ReadFiles, or says nothing any more. */
  goAlone(): void {
    if (this.#end !== null) return;
    if (this.#hasBegun) this.fail(status.ABORTED, "the stream ended before this file's end");
    else this.#alone = "wanted";
    this.#wake?.();
  }

  /** Whether a message of it has come. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Whether nothing more of it is wanted. */
  get hasEnded(): boolean {
    return this.#end !== null;
  }

  get heard(): number {
    return this.#parts.heard();
  }

  async next(): Promise<SourceMessage | null> {
    while (this.#messages.length === 0 && this.#end === null && this.#alone === null) {
      this.#isWaitedFor = true;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#isWaitedFor = false;
    }
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#parts.taken(message);
      return message;
    }
    if (this.#end?.error) throw this.#end.error;
    if (this.#alone === null) return null;
    if (this.#alone === "wanted") this.#alone = this.#parts.openAlone();
    return await this.#alone.next();
  }

  cancel(): void {
    if (this.#alone !== null && this.#alone !== "wanted") this.#alone.cancel();
    for (const message of this.#messages.splice(0)) this.#parts.taken(message);
    const wasInVain = this.#isWaitedFor && this.#end === null;
    this.fail(status.CANCELLED, "no more is wanted");
    if (wasInVain) this.#parts.silent();
  }

  #close(error: StarError | null): void {
    if (this.#end !== null) return;
    this.#end = { error };
    this.#parts.ended();
    this.#wake?.();
  }
}
