import { type EndReason, SessionError } from "./errors.ts";
import type { Credit } from "./message/credit.ts";
import { payloadOverheadBytes } from "./message/payload.ts";
import type { AgreedProtocol, Agreement } from "./negotiation.ts";
import type { Peer } from "./peer.ts";
import { Queue } from "./queue.ts";
import { ReceiveWindow, SendWindow } from "./window.ts";

/**
 * One protocol over one session: an ordered, reliable sequence of messages each way. Iterating gives what comes, to one
 * reader, until the session ends; what it takes is what the peer may send anew, so a reader that stops for a while
 * stops the sender, and nothing piles up beyond the window.
 *
 * @example
 * await channel.send(hello);
 * for await (const message of channel) receive(message);
 * console.log("the session ended:", (await channel.ended).text);
 */
export type Channel = AsyncIterable<Uint8Array> & {
  readonly protocol: string;
  readonly version: number;
  readonly purpose: string;
  readonly peer: Peer;
  /** The longest message that the peer accepts, in bytes. */
  readonly maxMessageBytes: number;
  /**
   * Sends a message of at least one byte. Resolves when it was handed to the transport, which is when the peer's credit
   * and the connection had room for it: who awaits each keeps memory bounded. The bytes must not change before. Rejects
   * with {@link SessionError} `message_too_large`, `misused` for an empty one, or the reason why the session ended.
   */
  send(message: Uint8Array): Promise<void>;
  /** Ends the session as `protocol_error`, with the protocol's own code from 0 to 65,535 and a text for people. */
  close(code: number, text: string): void;
  /** Resolves when the session has ended. */
  readonly ended: Promise<EndReason>;
};

/** What a channel asks of its session. */
export type ChannelUser = {
  /** Something may be sent, or CREDIT is due. */
  readonly onWork: () => void;
  readonly onClose: (reason: EndReason) => void;
};

type Waiting = {
  readonly message: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: SessionError) => void;
};

/** A channel and what its session does with it. */
export class SessionChannel {
  readonly channel: Channel;
  readonly sending: SendWindow;
  readonly receiving: ReceiveWindow;
  readonly arrived = new Queue<Uint8Array>();
  readonly waiting = new Queue<Waiting>();
  readonly #user: ChannelUser;
  readonly #settleEnded: (reason: EndReason) => void;
  #end: EndReason | null = null;
  #reader: (() => void) | null = null;

  constructor(protocol: AgreedProtocol, agreement: Agreement, user: ChannelUser) {
    this.#user = user;
    this.sending = new SendWindow(protocol.send);
    this.receiving = new ReceiveWindow(protocol.receive);
    const { promise: ended, resolve } = Promise.withResolvers<EndReason>();
    this.#settleEnded = resolve;
    const maxMessageBytes = agreement.maxFrameBytes - payloadOverheadBytes;
    this.channel = {
      protocol: protocol.name,
      version: protocol.version,
      purpose: agreement.purpose,
      peer: agreement.peer,
      maxMessageBytes,
      ended,
      send: (message) => this.#send(message, maxMessageBytes),
      close: (code, text) => this.#close(code, text),
      [Symbol.asyncIterator]: () => ({ next: () => this.#next() }),
    };
  }

  #send(message: Uint8Array, maxBytes: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#end !== null) reject(new SessionError(this.#end.code, this.#end.text));
    else if (message.length === 0) reject(new SessionError("misused", "a message has at least one byte"));
    else if (message.length > maxBytes) {
      const text = `${message.length} bytes, where the peer accepts ${maxBytes}`;
      reject(new SessionError("message_too_large", text));
    } else {
      this.waiting.push({ message, resolve, reject });
      this.#user.onWork();
    }
    return promise;
  }

  /** The next message that may go out; null when there is none, or no credit for it. */
  nextToSend(): Uint8Array | null {
    const first = this.waiting.peek();
    if (first === undefined || !this.sending.admits(first.message.length)) return null;
    this.waiting.shift();
    this.sending.send(first.message.length);
    first.resolve();
    return first.message;
  }

  #close(code: number, text: string): void {
    if (!Number.isInteger(code) || code < 0 || code > 65_535) {
      throw new SessionError("misused", `a protocol's code is from 0 to 65535, not ${code}`);
    }
    const { protocol } = this.channel;
    this.#user.onClose({ code: "protocol_error", text, by: "us", protocol, protocolCode: code });
  }

  /** A message came. Throws {@link SessionError} `credit_exceeded`. */
  deliver(payload: Uint8Array): void {
    this.receiving.receive(payload.length);
    // A view of a few bytes would keep all the memory that it came in.
    const isSmallView = payload.buffer.byteLength > 2 * payload.length;
    this.arrived.push(isSmallView ? payload.slice() : payload);
    this.#reader?.();
  }

  /** The peer's CREDIT. Throws {@link SessionError} `credit_exceeded`. */
  credit(credit: Credit): void {
    this.sending.credit(credit);
    this.#user.onWork();
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const message = this.arrived.shift();
      if (message !== undefined) {
        this.receiving.take(message.length);
        this.#user.onWork();
        return { done: false, value: message };
      }
      if (this.#end !== null) return { done: true, value: undefined };
      if (this.#reader !== null) throw new SessionError("misused", "a channel has one reader");
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#reader = resolve;
      await promise;
      this.#reader = null;
    }
  }

  /** The session has ended. What came before can still be read. */
  finish(reason: EndReason): void {
    this.#end = reason;
    for (let waiting = this.waiting.shift(); waiting !== undefined; waiting = this.waiting.shift()) {
      waiting.reject(new SessionError(reason.code, reason.text));
    }
    this.#reader?.();
    this.#settleEnded(reason);
  }
}
