import { SessionError } from "./errors.ts";
import type { Window } from "./negotiation.ts";

/** Messages and bytes of payload, counted since the session began. */
export type Count = { readonly messages: number; readonly bytes: number };

const nothing: Count = { messages: 0, bytes: 0 };

function plus({ messages, bytes }: Count, length: number): Count {
  return { messages: messages + 1, bytes: bytes + length };
}

/** Whether `count` is so much further than `told` that it is told: a quarter of the window, spec/session.md §7. */
function isQuarterPast(count: Count, told: Count, window: Window): boolean {
  return (
    4 * (count.messages - told.messages) >= window.messages || 4 * (count.bytes - told.bytes) >= window.bytes
  );
}

/** What may be sent on a channel: never more than the window ahead of what the peer told that it took. */
export class SendWindow {
  readonly #window: Window;
  sent = nothing;
  #taken = nothing;

  constructor(window: Window) {
    this.#window = window;
  }

  admits(length: number): boolean {
    const messages = this.sent.messages - this.#taken.messages;
    const bytes = this.sent.bytes - this.#taken.bytes;
    return messages < this.#window.messages && bytes + length <= this.#window.bytes;
  }

  send(length: number): void {
    this.sent = plus(this.sent, length);
  }

  /** The peer's CREDIT. Throws {@link SessionError} `credit_exceeded` when it is not one that a peer may send. */
  credit({ messages, bytes }: Count): void {
    const [sent, taken] = [this.sent, this.#taken];
    if (messages > sent.messages || bytes > sent.bytes) {
      throw new SessionError("credit_exceeded", "more was taken than was sent");
    }
    if (messages < taken.messages || bytes < taken.bytes) {
      throw new SessionError("credit_exceeded", "what was taken became less");
    }
    if (!isQuarterPast({ messages, bytes }, taken, this.#window)) {
      throw new SessionError("credit_exceeded", "a CREDIT before a quarter of the window was taken");
    }
    this.#taken = { messages, bytes };
  }
}

/** What has come on a channel, and what of it was taken by whoever reads it. */
export class ReceiveWindow {
  readonly #window: Window;
  received = nothing;
  #taken = nothing;
  #told = nothing;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Throws {@link SessionError} `credit_exceeded` when the peer had no credit for it. */
  receive(length: number): void {
    this.received = plus(this.received, length);
    const messages = this.received.messages - this.#told.messages;
    const bytes = this.received.bytes - this.#told.bytes;
    if (messages <= this.#window.messages && bytes <= this.#window.bytes) return;
    throw new SessionError("credit_exceeded", `${messages} messages of ${bytes} bytes wait to be taken`);
  }

  take(length: number): void {
    this.#taken = plus(this.#taken, length);
  }

  /** The CREDIT that is due; null when none is. It counts as told. */
  credit(): Count | null {
    if (!isQuarterPast(this.#taken, this.#told, this.#window)) return null;
    this.#told = this.#taken;
    return this.#told;
  }
}
