import type { ServerWritableStream } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";

/** So many messages may wait for a receiver: what is read ahead of it is bounded. */
const messagesAhead = 4;
/** How long a receiver may take nothing unless a star is told otherwise, in ms. */
export const defaultIdleMs = 300_000;

/** Who is sent to: the stream of a call, or an answer of HTTP. */
export type Receiver<Message> = {
  /** `onSent` when the system has taken it. */
  write(message: Message, onSent: () => void): void;
  readonly isGone: boolean;
  /** Is told when it goes away. */
  onGone(tell: () => void): void;
};

export type OutgoingOptions = {
  /** How long a receiver may take nothing until it is given up, in ms. */
  readonly idleMs: number;
  /** So many messages may wait for a receiver; default 4. */
  readonly ahead?: number;
};

/** Sends messages no faster than they are received. */
export class Outgoing<Message> {
  readonly #receiver: Receiver<Message>;
  readonly #idleMs: number;
  readonly #ahead: number;
  #waiting = 0;
  #room: (() => void) | null = null;

  constructor(receiver: Receiver<Message>, { idleMs, ahead = messagesAhead }: OutgoingOptions) {
    this.#receiver = receiver;
    this.#idleMs = idleMs;
    this.#ahead = ahead;
    receiver.onGone(() => this.#room?.());
  }

  /** Sends the messages of a call's stream. */
  static ofCall<Message>(
    call: ServerWritableStream<unknown, Message>,
    idleMs = defaultIdleMs,
  ): Outgoing<Message> {
    const receiver: Receiver<Message> = {
      write: (message, onSent) => call.write(message, onSent),
      get isGone() {
        return call.cancelled;
      },
      onGone: (tell) => call.on("cancelled", tell),
    };
    return new Outgoing(receiver, { idleMs });
  }

  /** Resolves when another message may be sent. Throws StarError `cancelled` when nobody receives any more. */
  async send(message: Message): Promise<void> {
    this.#check();
    this.#waiting += 1;
    this.#receiver.write(message, () => {
      this.#waiting -= 1;
      this.#room?.();
    });
    if (this.#waiting >= this.#ahead) await this.#untilRoom();
    this.#check();
  }

  /** Resolves when all was taken; throws like `send`. */
  async taken(): Promise<void> {
    while (this.#waiting > 0) {
      await this.#untilRoom();
      this.#check();
    }
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
    if (this.#receiver.isGone) throw new StarError("cancelled", "the receiver is gone");
  }
}
