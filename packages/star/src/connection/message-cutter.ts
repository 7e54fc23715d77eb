import { StarError } from "../errors.ts";

/** Takes the bytes of a message in the order in which they come; `isLast` where the message ends with them. */
export type OnPiece = (bytes: Buffer, isLast: boolean) => void;

/** A flag, and a length of four bytes, big-endian. */
const headBytes = 5;

/**
 * Cuts the body of a gRPC answer into its messages, and passes each on piece by piece, as it comes from the connection: nothing
 * is copied. gRPC's PROTOCOL-HTTP2, `Length-Prefixed-Message`.
 */
export class MessageCutter {
  readonly #onPiece: OnPiece;
  readonly #head = Buffer.alloc(headBytes);
  /** How many bytes of the next message's head are here. */
  #headLength = 0;
  /** How many bytes of the message under way are still to come; null between messages. */
  #left: number | null = null;

  constructor(onPiece: OnPiece) {
    this.#onPiece = onPiece;
  }

  /** Whether a message has begun, and has not ended. */
  get isInside(): boolean {
    return this.#left !== null || this.#headLength > 0;
  }

  /** Throws StarError `source_refused` where a message is compressed: nobody asked for that. */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === null) {
        at += this.#pushHead(bytes.subarray(at));
        continue;
      }
      const piece = bytes.subarray(at, at + this.#left);
      at += piece.length;
      this.#left -= piece.length;
      this.#pass(piece);
    }
  }

  #pushHead(bytes: Buffer): number {
    const copied = bytes.copy(this.#head, this.#headLength);
    this.#headLength += copied;
    if (this.#headLength < headBytes) return copied;
    if (this.#head[0] !== 0) throw new StarError("source_refused", "a message is compressed");
    this.#headLength = 0;
    this.#left = this.#head.readUInt32BE(1);
    if (this.#left === 0) this.#pass(bytes.subarray(copied, copied));
    return copied;
  }

  #pass(piece: Buffer): void {
    const isLast = this.#left === 0;
    if (isLast) this.#left = null;
    this.#onPiece(piece, isLast);
  }
}
