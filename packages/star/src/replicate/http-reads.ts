import type { TlsIdentity } from "../connection/credentials.ts";
import type { StarUrl } from "../connection/star-url.ts";
import { HttpConnection } from "./http-connection.ts";
import { HttpStream, questionFor } from "./http-stream.ts";
import type { AskedRange, SourceAddress, SourceStream } from "./source.ts";

/** So many streams of a star come over connections of their own; others share the one of gRPC. */
const mostStreams = 128;
/** A few streams take much from the system at once: each time costs as much as copying some ten kilobytes. Of many none goes ahead. */
const fewStreams = 2;
/** In bytes. */
const largePieceBytes = 512 * 1024;
const smallPieceBytes = 32 * 1024;
/** A star that did not answer is not asked by HTTP for so long, in ms: something between may let gRPC through alone. */
const spurnedMs = 10_000;
/** Connections that take much at once rest for so long, in ms, which a star lets them. */
const restMs = 4_000;

/** Reads files of one star by HTTP, as far as it is known to serve them so. */
export class HttpReads {
  readonly #star: StarUrl;
  readonly #identity: TlsIdentity;
  #underWay = 0;
  #serves = false;
  #spurnedUntil = Number.NEGATIVE_INFINITY;
  readonly #all = new Set<HttpConnection>();
  readonly #resting = new Map<HttpConnection, NodeJS.Timeout>();

  constructor(star: StarUrl, identity: TlsIdentity) {
    this.#star = star;
    this.#identity = identity;
  }

  /** Whether a star that can should be read so now. */
  get isWanted(): boolean {
    return this.#underWay < mostStreams && performance.now() >= this.#spurnedUntil;
  }

  /** Whether the star has said that it can. */
  get isServed(): boolean {
    return this.#serves;
  }

  /** Asks it for a file, since it has said so; `onEnd` is told once, when the stream needs nothing of this any more. Throws StarError `token_invalid` and `certificate_invalid`. */
  open(source: SourceAddress, range: AskedRange, onEnd: () => void): SourceStream {
    const question = questionFor(source, range);
    this.#serves = true;
    const { connection, isFresh } = this.#take();
    this.#underWay += 1;
    const leave = () => {
      this.#underWay -= 1;
      this.#rest(connection);
      onEnd();
    };
    const onNone = () => {
      if (!isFresh) return; // It may have been closed while it rested.
      this.#serves = false;
      this.#spurnedUntil = performance.now() + spurnedMs;
    };
    return new HttpStream(connection, source, question, { onEnd: leave, onNone });
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#all.clear();
    this.#resting.clear();
  }

  #take(): { readonly connection: HttpConnection; readonly isFresh: boolean } {
    for (const [connection, timer] of this.#resting) {
      clearTimeout(timer);
      this.#resting.delete(connection);
      if (!connection.isOver) return { connection, isFresh: false };
      this.#all.delete(connection);
    }
    const pieceBytes = this.#underWay < fewStreams ? largePieceBytes : smallPieceBytes;
    const readBytes = () => (this.#underWay > fewStreams ? smallPieceBytes : largePieceBytes);
    const made = new HttpConnection(this.#star, this.#identity, { pieceBytes, readBytes });
    this.#all.add(made);
    return { connection: made, isFresh: true };
  }

  #rest(connection: HttpConnection): void {
    const drop = () => {
      this.#resting.delete(connection);
      this.#all.delete(connection);
      connection.destroy();
    };
    if (connection.isOver || connection.pieceBytes < largePieceBytes) drop();
    else this.#resting.set(connection, setTimeout(drop, restMs).unref());
  }
}
