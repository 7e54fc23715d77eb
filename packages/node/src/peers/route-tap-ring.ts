/** How much a ring keeps. */
export type RingLimits = { readonly maxEvents: number; readonly maxBytes: number };

/** What a reader is given at once. */
export type Reading<Event> = {
  /** The number of the last event that is accounted for. */
  readonly next: number;
  /** How many came before these and are not kept any more; null when nobody counted them. */
  readonly lost: number | null;
  readonly events: readonly Event[];
};

type Entry<Event> = { readonly event: Event; readonly bytes: number };

/**
 * Events in their order, each with a number that is one more than that of the event before. Of those that there is no
 * room for the oldest go, so that who reads slowly loses something and nobody else has to wait.
 */
export class EventRing<Event> {
  readonly #limits: RingLimits;
  readonly #entries = new Map<number, Entry<Event>>();
  readonly #begin: number;
  #last: number;
  #bytes = 0;

  /** The first event has the number after `last`. */
  constructor(limits: RingLimits, last: number) {
    this.#limits = limits;
    this.#begin = last;
    this.#last = last;
  }

  /** The number of the newest event. */
  get last(): number {
    return this.#last;
  }

  push(event: Event, bytes: number): void {
    this.#last += 1;
    this.#entries.set(this.#last, { event, bytes });
    this.#bytes += bytes;
    const { maxEvents, maxBytes } = this.#limits;
    while (this.#entries.size > maxEvents || (this.#bytes > maxBytes && this.#entries.size > 1)) {
      const oldest = this.#last - this.#entries.size + 1;
      this.#bytes -= this.#entries.get(oldest)?.bytes ?? 0;
      this.#entries.delete(oldest);
    }
  }

  /** The events after a number, the oldest first, as many as `limits` say and one at least, where there is one. */
  read(after: number, { maxEvents, maxBytes }: RingLimits): Reading<Event> {
    const isForeign = after < this.#begin || after > this.#last;
    const oldest = this.#last - this.#entries.size + 1;
    const from = isForeign ? oldest : Math.max(after + 1, oldest);
    const events: Event[] = [];
    let bytes = 0;
    for (let at = from; at <= this.#last && events.length < maxEvents && bytes < maxBytes; at++) {
      const entry = this.#entries.get(at);
      if (entry === undefined) break;
      events.push(entry.event);
      bytes += entry.bytes;
    }
    return { next: from + events.length - 1, lost: isForeign ? null : from - 1 - after, events };
  }
}
