import type { ServerWritableStream } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";

/** So many messages may wait for a receiver: what is read ahead of it is bounded. */
const messagesAhead = 4;
/** How long a receiver may take nothing unless a star is told otherwise, in ms. */
export const defaultIdleMs = 300_000;

/** Sends the messages of a stream no faster than they are received. */
export class Outgoing<Message> {
  readonly #call: ServerWritableStream<unknown, Message>;
  readonly #idleMs: number;
  #waiting = 0;
  #room: (() => void) | null = null;

  /** A receiver that takes nothing for `idleMs` is given up. */
  constructor(call: ServerWritableStream<unknown, Message>, idleMs: number) {
    this.#call = call;
    this.#idleMs = idleMs;
    call.on("cancelled", () => this.#room?.());
  }

  /** Resolves when another message may be sent. Throws StarError `cancelled` when nobody receives any more. */
  async send(message: Message): Promise<void> {
    this.#check();
    this.#waiting += 1;
    this.#call.write(message, () => {
      this.#waiting -= 1;
      this.#room?.();
    });
    if (this.#waiting >= messagesAhead) await this.#untilRoom();
    this.#check();
  }

  async #untilRoom(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<"room" | "late">();
    this.#room = () => resolve("room");
    const timer = setTimeout(() => resolve("late"), this.#idleMs);
    const came = await promise;
    clearTimeout(timer);
    this.#room = null;
    if (came === "late") throw new StarError("cancelled", "the receiver takes nothing any more");
  }

  #check(): void {
    if (this.#call.cancelled) throw new StarError("cancelled", "the receiver is gone");
  }
}
