import { encodeFrame } from "@catalyst/wire";
import type { SessionChannel } from "./channel.ts";
import type { Clock, Instant } from "./clock.ts";
import { encodeMessage, type MessageKind, type MessageOf } from "./message/message.ts";
import type { Transport } from "./transport.ts";

/**
 * What leaves on one transport. Messages wait with their channels while the transport takes no more; CREDIT says totals,
 * so one is enough however many became due meanwhile. So what waits here is bounded by what the transport holds.
 */
export class Outbox {
  readonly #transport: Transport;
  readonly #clock: Clock;
  /** Since when the transport takes no more; null when it does. */
  blockedSince: Instant | null = null;
  channels: readonly SessionChannel[] = [];
  /** Which channel is next: each has its turn. */
  #turn = 0;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  write<Kind extends MessageKind>(kind: Kind, message: MessageOf[Kind]): void {
    this.writeFrame(encodeMessage(kind, message));
  }

  writeFrame(payload: Uint8Array): void {
    const frame = encodeFrame(payload, Number.MAX_SAFE_INTEGER);
    if (!this.#transport.write(frame)) this.blockedSince ??= this.#clock.now();
  }

  drained(): void {
    this.blockedSince = null;
    this.flush();
  }

  /** Sends what may be sent. */
  flush(): void {
    for (const each of this.channels) {
      const credit = this.blockedSince === null ? each.receiving.credit() : null;
      if (credit !== null) this.write("credit", { protocol: each.channel.protocol, ...credit });
    }
    for (let idle = 0; this.blockedSince === null && idle < this.channels.length; ) {
      const sent = this.#sendOne(this.channels[this.#turn++ % this.channels.length]);
      idle = sent ? 0 : idle + 1;
    }
  }

  #sendOne(from: SessionChannel | undefined): boolean {
    const payload = from?.nextToSend() ?? null;
    if (from === undefined || payload === null) return false;
    this.write("message", { protocol: from.channel.protocol, payload });
    return true;
  }
}
