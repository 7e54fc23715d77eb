import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { TlsIdentity } from "../connection/credentials.ts";
import type { StarUrl } from "../connection/star-url.ts";

/** Who takes what comes over a connection. */
export type Receiver = {
  /** Whether it holds the bytes, which are written over when it has let them go. */
  receive(bytes: Buffer): boolean;
  /** Nothing more comes; why, as far as the system says. */
  lost(why: string): void;
};

/** Memory that fills, and of which so many slices are held by a receiver. */
class Piece {
  readonly memory: Buffer;
  filled = 0;
  held = 0;

  constructor(bytes: number) {
    this.memory = Buffer.allocUnsafeSlow(bytes);
  }

  /** Where it counts as full: the rest is for what comes all the same, since Node has been given a place for it, and TLS does not wait. */
  get #mark(): number {
    return (this.memory.length / 8) * 7;
  }

  get isFull(): boolean {
    return this.filled >= this.#mark;
  }

  get room(): Buffer {
    return this.memory.subarray(this.filled, this.isFull ? this.memory.length : this.#mark);
  }
}

/**
 * A connection for answers of HTTP/1.1, one after the other. What comes is put into two pieces of memory in turn: while its receiver
 * holds both the sender is held back.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #authority: string;
  readonly #readBytes: () => number;
  #fills: Piece;
  #other: Piece;
  /** Of each slice that is held, in turn, the piece that it is of. */
  readonly #held: Piece[] = [];
  /** Pieces beyond the two, of which slices are still held. */
  readonly #aside = new Set<Piece>();
  #isPaused = false;
  #receiver: Receiver | null = null;
  #why: string | null = null;

  /** Takes at most `readBytes` from the system at once, as far as `pieceBytes` have room for it. Throws StarError `certificate_invalid`. */
  constructor(
    { isSecure, host, port, authority }: StarUrl,
    identity: TlsIdentity,
    { pieceBytes, readBytes }: { readonly pieceBytes: number; readonly readBytes: () => number },
  ) {
    this.#readBytes = readBytes;
    this.#authority = authority;
    this.#fills = new Piece(pieceBytes);
    this.#other = new Piece(pieceBytes);
    const onread = {
      buffer: () => this.#room(),
      callback: (bytes: number) => this.#receive(bytes),
    };
    this.#socket = isSecure
      ? connectTls({ ...identity.connectionOptions(host, "http/1.1"), port, onread } as ConnectionOptions) // Their types lack `onread`.
      : connectPlain({ host, port, onread });
    this.#socket.on("error", ({ message }) => {
      this.#why ??= message;
    });
    this.#socket.on("end", () => this.#socket.destroy());
    this.#socket.on("close", () => this.#lose());
  }

  get pieceBytes(): number {
    return this.#fills.memory.length;
  }

  /** Whether nothing can be asked over it any more. */
  get isOver(): boolean {
    return this.#socket.destroyed;
  }

  /** Asks for something, with fields of a head; the answer is the receiver's, until somebody else asks. */
  ask(target: string, fields: readonly string[], receiver: Receiver): void {
    this.#receiver = receiver;
    this.#socket.ref();
    const head = [`GET ${target} HTTP/1.1`, `Host: ${this.#authority}`, ...fields, "\r\n"];
    this.#socket.write(head.join("\r\n"));
  }

  /** The receiver lets go what it has held longest. */
  letGo(): void {
    const piece = this.#held.shift();
    if (piece !== undefined) {
      piece.held -= 1;
      if (piece.held === 0) this.#aside.delete(piece);
    }
    if (!this.#isPaused || !this.#hasRoom) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Nobody waits for anything; that it is there keeps no process alive. */
  rest(): void {
    this.#receiver = null;
    this.#socket.unref();
  }

  /** Whoever still receives hears of it. */
  destroy(): void {
    this.#socket.destroy();
  }

  get #hasRoom(): boolean {
    return this.#aside.size === 0 && (!this.#fills.isFull || this.#other.held === 0);
  }

  /** Where the next bytes go. */
  #room(): Buffer {
    if (this.#fills.held === 0) this.#fills.filled = 0;
    if (this.#fills.isFull && this.#other.held === 0) {
      [this.#fills, this.#other] = [this.#other, this.#fills];
      this.#fills.filled = 0;
    }
    if (this.#fills.room.length === 0) {
      this.#aside.add(this.#fills);
      this.#fills = new Piece(this.#fills.memory.length);
    }
    return this.#fills.room.subarray(0, this.#readBytes());
  }

  #receive(count: number): boolean {
    const piece = this.#fills;
    if (this.#receiver === null) {
      this.#socket.destroy(); // Nobody has asked for it.
      return false;
    }
    const bytes = piece.memory.subarray(piece.filled, piece.filled + count);
    if (!this.#receiver.receive(bytes)) return true;
    piece.filled += count;
    piece.held += 1;
    this.#held.push(piece);
    // Node has stopped once it was told so, whatever TLS gives afterwards.
    this.#isPaused ||= !this.#hasRoom;
    return !this.#isPaused;
  }

  #lose(): void {
    this.#receiver?.lost(this.#why ?? "it was closed");
    this.#receiver = null;
  }
}
