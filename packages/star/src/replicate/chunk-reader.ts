import { fromBinary } from "@bufbuild/protobuf";
import { ReadStreamResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import { Gathered } from "./gathered.ts";
import type { SourceMessage } from "./source.ts";

const chunkField = 1;
const noBytes = new Uint8Array(0);

/**
 * Reads messages `ReadStreamResponse` whose bytes come in pieces. Of all but the first only the bytes of the file are passed on,
 * piece by piece as they come; empty messages are not heard of.
 */
export class ChunkReader {
  readonly #onMessage: (message: SourceMessage) => void;
  /** Only the first message is held whole: what tells of the file stands behind its bytes. */
  #first: Gathered | null = new Gathered();
  #state: "tag" | "length" | "value" | "varint" = "tag";
  /** Of the tag or the length under way: what has come of it, and how many bits. */
  #number = 0;
  #bits = 0;
  #isChunk = false;
  #hasChunk = false;
  /** How many bytes of a field's value are still to come. */
  #left = 0;

  constructor(onMessage: (message: SourceMessage) => void) {
    this.#onMessage = onMessage;
  }

  /** Throws StarError `source_refused` where this is no message, or a first one of over 4 MiB. */
  push(bytes: Buffer, isLast: boolean): void {
    if (this.#first !== null) this.#pushFirst(this.#first, bytes, isLast);
    else this.#pushOn(bytes, isLast);
  }

  /** How many bytes have come of a first message that is not whole yet. */
  get begun(): number {
    return this.#first?.length ?? 0;
  }

  #pushFirst(first: Gathered, bytes: Buffer, isLast: boolean): void {
    first.push(bytes);
    if (!isLast) return;
    this.#first = null;
    this.#onMessage(decoded(first.take()));
  }

  #pushOn(bytes: Buffer, isLast: boolean): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === "value") at += this.#pushValue(bytes.subarray(at));
      else this.#pushNumber(bytes[at++] ?? 0);
    }
    if (!isLast) return;
    if (this.#state !== "tag" || this.#bits > 0) throw unreadable();
    this.#hasChunk = false;
  }

  #pushValue(bytes: Buffer): number {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (this.#left === 0) this.#state = "tag";
    if (this.#isChunk && piece.length > 0) this.#onMessage({ chunk: piece, validator: noBytes });
    return piece.length;
  }

  #pushNumber(byte: number): void {
    if (this.#bits > 63) throw unreadable();
    this.#number += (byte & 0x7f) * 2 ** this.#bits;
    this.#bits += 7;
    if (byte > 0x7f) return;
    const number = this.#number;
    this.#number = 0;
    this.#bits = 0;
    if (this.#state === "tag") this.#begin(number);
    else if (this.#state === "varint") this.#state = "tag";
    else this.#skip(number);
  }

  /** Protocol Buffers' encoding, "Message Structure": fields that are not known are passed over. */
  #begin(tag: number): void {
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    this.#isChunk = field === chunkField;
    // Of a field that stands twice the last one counts, and the first one's bytes are on their way already.
    if (field === 0 || (this.#isChunk && (type !== 2 || this.#hasChunk))) throw unreadable();
    this.#hasChunk ||= this.#isChunk;
    if (type === 0) this.#state = "varint";
    else if (type === 1) this.#skip(8);
    else if (type === 2) this.#state = "length";
    else if (type === 5) this.#skip(4);
    else throw unreadable();
  }

  #skip(bytes: number): void {
    this.#left = bytes;
    this.#state = bytes > 0 ? "value" : "tag";
  }
}

function decoded(bytes: Buffer): SourceMessage {
  try {
    return fromBinary(ReadStreamResponseSchema, bytes);
  } catch {
    throw unreadable();
  }
}

function unreadable(): StarError {
  return new StarError("source_refused", "a message cannot be read");
}
