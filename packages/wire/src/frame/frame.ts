import { WireError } from "../errors.ts";

/** A payload's length in four bytes comes before it. */
const headLength = 4;

export const defaultMaxFrameBytes = 1_048_576;

/** What is made room for at once, on nothing but a sender's word. */
const trustedBytes = 16_384;

/**
 * A frame in one piece, spec/wire.md §5. For a large payload, {@link encodeFrameHead} saves the copy. Throws
 * `frame_empty`; `frame_too_large` when the payload is longer than `maxFrameBytes`, by default 1,048,576.
 */
export function encodeFrame(payload: Uint8Array, maxFrameBytes = defaultMaxFrameBytes): Uint8Array {
  checkLength(payload.length, maxFrameBytes);
  const frame = new Uint8Array(headLength + payload.length);
  writeLength(frame, payload.length);
  frame.set(payload, headLength);
  return frame;
}

/** What is sent before a payload of `length` bytes. Throws as {@link encodeFrame} does. */
export function encodeFrameHead(length: number, maxFrameBytes = defaultMaxFrameBytes): Uint8Array {
  checkLength(length, maxFrameBytes);
  const head = new Uint8Array(headLength);
  writeLength(head, length);
  return head;
}

export type FrameDecoderOptions = {
  /** Gets each payload: a view into the piece that was pushed, or memory of its own when it came in several. */
  readonly onFrame: (payload: Uint8Array) => void;
  /** The longest payload that is accepted; a function is asked for each frame anew. Default 1,048,576. */
  readonly maxFrameBytes?: number | (() => number);
};

/** Reads frames from a stream that arrives in pieces of any size. */
export type FrameDecoder = {
  /**
   * Takes the next bytes. Throws `frame_empty` and `frame_too_large` when the head has come, before the payload
   * does; after that, and after a failure of `onFrame`, every call throws `misused`.
   */
  readonly push: (bytes: Uint8Array) => void;
  /** Ends the stream. Throws `frame_truncated` inside a frame. */
  readonly finish: () => void;
};

/**
 * Starts to read frames, spec/wire.md §5. Takes at most twice the memory of what has arrived of one frame.
 *
 * @example
 * const decoder = createFrameDecoder({ onFrame: (payload) => receive(decodeCbor(payload)) });
 * socket.on("data", (bytes) => decoder.push(bytes));
 */
export function createFrameDecoder(options: FrameDecoderOptions): FrameDecoder {
  const decoder = new Decoder(options);
  return { push: (bytes) => decoder.push(bytes), finish: () => decoder.finish() };
}

class Decoder {
  readonly onFrame: (payload: Uint8Array) => void;
  readonly maxFrameBytes: () => number;
  /** The head, or the payload, that came with earlier pieces, and how many bytes of it. */
  begun = new Uint8Array(0);
  filled = 0;
  /** The payload's length once the head is read. */
  length: number | null = null;
  failed = false;

  constructor({ onFrame, maxFrameBytes = defaultMaxFrameBytes }: FrameDecoderOptions) {
    this.onFrame = onFrame;
    this.maxFrameBytes = typeof maxFrameBytes === "number" ? () => maxFrameBytes : maxFrameBytes;
  }

  push(bytes: Uint8Array): void {
    this.refuseFailed();
    this.failed = true;
    for (let at = 0; at < bytes.length; ) {
      const wanted = this.length ?? headLength;
      const part = bytes.subarray(at, at + wanted - this.filled);
      at += part.length;
      const whole = part.length === wanted ? part : this.collect(part, wanted);
      if (whole !== null) this.accept(whole);
    }
    this.failed = false;
  }

  finish(): void {
    this.refuseFailed();
    if (this.length === null && this.filled === 0) return;
    throw new WireError("frame_truncated", "the stream ended inside a frame");
  }

  accept(whole: Uint8Array): void {
    if (this.length !== null) {
      this.length = null;
      this.onFrame(whole);
      return;
    }
    const length = readLength(whole);
    checkLength(length, this.maxFrameBytes());
    this.length = length;
  }

  /** Adds to what has begun; returns it when it is whole. */
  collect(part: Uint8Array, wanted: number): Uint8Array | null {
    const filled = this.filled + part.length;
    if (filled > this.begun.length) {
      const larger = new Uint8Array(Math.min(wanted, Math.max(trustedBytes, 2 * filled)));
      larger.set(this.begun.subarray(0, this.filled));
      this.begun = larger;
    }
    this.begun.set(part, this.filled);
    this.filled = filled;
    if (filled < wanted) return null;
    const whole = this.begun.subarray(0, wanted);
    this.begun = new Uint8Array(0);
    this.filled = 0;
    return whole;
  }

  refuseFailed(): void {
    if (this.failed) throw new WireError("misused", "the stream was refused: close it");
  }
}

function checkLength(length: number, maxFrameBytes: number): void {
  if (length === 0) throw new WireError("frame_empty", "a frame without payload");
  if (length <= maxFrameBytes) return;
  throw new WireError("frame_too_large", `a frame of ${length} bytes, where ${maxFrameBytes} are accepted`);
}

function writeLength(target: Uint8Array, length: number): void {
  new DataView(target.buffer).setUint32(0, length);
}

function readLength(head: Uint8Array): number {
  return new DataView(head.buffer, head.byteOffset).getUint32(0);
}
