import { create } from "@bufbuild/protobuf";
import type { ServerWritableStream } from "@grpc/grpc-js";
import {
  type ReadFilesRequest,
  type ReadFilesResponse,
  ReadFilesResponseSchema,
  type ReadStreamRequest,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import type { StarEvents } from "../events.ts";
import type { Jail, OpenedFile } from "../jail/jail.ts";
import { verifyTransferToken } from "../transfer-token.ts";
import { addressOf, checkFiles, refusalOf } from "./calls.ts";
import { defaultIdleMs, Outgoing } from "./outgoing.ts";
import { rangeOf } from "./range.ts";
import { readRange, validatorOf } from "./read-file.ts";
import { SmallReads } from "./small-reads.ts";
import { TokenUses } from "./token-uses.ts";

export type ReadingParts = {
  readonly jail: Jail;
  /** The secret that transfer tokens are signed with: the same at all stars of a Nucleus. */
  readonly authSecret: string;
  readonly events: StarEvents;
  /** Bytes in each message of a file; default 64 KiB. */
  readonly chunkBytes?: number;
  /** How long a receiver may take nothing, in ms; default 5 minutes. */
  readonly idleMs?: number;
  /** Wall time in ms; default `Date.now`. */
  readonly clock?: () => number;
};

/**
 * So many bytes of a file are read from the disk at once, and sent in a message to who takes as many, while few streams are under way: what
 * a hundred streams hold is memory, and theirs are as small as a message is.
 */
const largeBlockBytes = 512 * 1024;
const fewStreams = 4;
const defaultChunkBytes = 64 * 1024;

type Files = Pick<Jail, "openFile">;

/** `isLast`: nothing more is read after this message. */
export type Send = (message: ReadStreamResponse, isLast: boolean) => Promise<void>;

/** The calls that read files for whoever has tokens for them. */
export class Reading {
  readonly #parts: ReadingParts;
  readonly #tokenUses = new TokenUses();
  readonly #smallReads = new SmallReads();
  readonly #chunkBytes: number;
  readonly #idleMs: number;
  #underWay = 0;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
    this.#chunkBytes = parts.chunkBytes ?? defaultChunkBytes;
    this.#idleMs = parts.idleMs ?? defaultIdleMs;
  }

  /** ReadStream. */
  async answer(call: ServerWritableStream<ReadStreamRequest, ReadStreamResponse>): Promise<void> {
    const outgoing = Outgoing.ofCall(call, this.#idleMs);
    await this.read(call.request, addressOf(call), (message) => outgoing.send(message));
  }

  /**
   * Sends the messages of a stream to somebody at an address. After the last one it looks whether the file has changed. A chunk is written
   * over when two more were sent. Throws StarError as the call ends, and what `send` throws.
   */
  async read(request: ReadStreamRequest, address: string, send: Send): Promise<void> {
    await this.#read(request, address, this.#parts.jail, send);
  }

  /** ReadFiles: one file after the other. One that cannot be read leaves the others alone. */
  async answerMany(call: ServerWritableStream<ReadFilesRequest, ReadFilesResponse>): Promise<void> {
    checkFiles(call.request.files);
    const outgoing = Outgoing.ofCall(call, this.#idleMs);
    using files = this.#parts.jail.visit();
    const around = { outgoing, files, from: addressOf(call) };
    for (const [file, request] of call.request.files.entries()) {
      const last = await this.#readOneOf(file, { ...request, httpFrom: 0n }, around);
      await outgoing.send(create(ReadFilesResponseSchema, { file, isLast: true, ...last }));
    }
  }

  /** Sends all but the last message of a file, which comes when the file was seen not to have changed. */
  async #readOneOf(
    file: number,
    request: ReadStreamRequest,
    { outgoing, files, from }: { outgoing: Outgoing<ReadFilesResponse>; files: Files; from: string },
  ): Promise<{ message?: ReadStreamResponse; status?: number; details?: string }> {
    let last: ReadStreamResponse | undefined;
    try {
      await this.#read(request, from, files, async (message, isLast) => {
        // Others are not held back: the blocks that they are in are written over as they are sent.
        if (isLast) last = message;
        else await outgoing.send(create(ReadFilesResponseSchema, { file, message }));
      });
    } catch (error) {
      if (error instanceof StarError && error.code === "cancelled") throw error; // Nobody receives.
      const { code, details } = refusalOf("ReadFiles", this.#parts.events.failed, error);
      return { status: code, details };
    }
    return last === undefined ? {} : { message: last };
  }

  async #read(request: ReadStreamRequest, address: string, files: Files, send: Send): Promise<void> {
    const { events } = this.#parts;
    const { path } = request;
    events.readRequested(path);
    this.#admit(request, address);
    events.readAuthorised(path);
    this.#underWay += 1;
    try {
      using file = files.openFile(path);
      const bytes = await this.#send(request, file, send);
      if (bytes === null) events.readTurned(path);
      else events.readCompleted(path, bytes);
    } catch (error) {
      events.readFailed(path, error);
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  #admit({ path, transferToken }: ReadStreamRequest, address: string): void {
    const { authSecret, clock = Date.now, events } = this.#parts;
    const now = Math.floor(clock() / 1_000);
    try {
      this.#tokenUses.note(verifyTransferToken(authSecret, transferToken, path, now), address);
    } catch (error) {
      events.tokenRefused(path, error);
      throw error;
    }
  }

  /** How many bytes were sent; null where they will be asked for by HTTP. */
  async #send(
    { offset, length, chunkBytes: taken, httpFrom }: ReadStreamRequest,
    file: OpenedFile,
    send: Send,
  ): Promise<number | null> {
    const range = rangeOf(offset, length, file.stats.size);
    const first = {
      offset,
      totalSize: BigInt(file.stats.size),
      validator: Buffer.from(validatorOf(file.stats), "hex"),
    };
    if (httpFrom > 0n && BigInt(range.to - range.from) >= httpFrom) {
      await send(create(ReadStreamResponseSchema, { ...first, http: true }), true);
      return null;
    }
    let head: Partial<typeof first> = first;
    let left = range.to - range.from;
    const chunkBytes = Math.max(this.#chunkBytes, taken);
    const blockBytes = () => Math.max(this.#chunkBytes, this.#underWay > fewStreams ? 0 : largeBlockBytes);
    for await (const block of readRange(file, range, blockBytes, this.#smallReads)) {
      for (let at = 0; at < block.length; at += chunkBytes) {
        const chunk = block.subarray(at, at + chunkBytes);
        left -= chunk.length;
        await send(create(ReadStreamResponseSchema, { chunk, ...head }), left === 0);
        head = {};
      }
    }
    if (range.to === range.from) await send(create(ReadStreamResponseSchema, first), true);
    return range.to - range.from;
  }
}
