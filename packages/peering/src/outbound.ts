import { AdjRibOut, type Wanted } from "./adj-rib-out.ts";
import type { AttributeSet } from "./attribute-set.ts";
import { Batch } from "./batch.ts";
import { selectBest } from "./best-path.ts";
import { encodeEndOfRib } from "./end-of-rib.ts";
import type { LocRib } from "./loc-rib.ts";
import type { UsablePath } from "./path.ts";

/** What export makes of the path that would be told; null when the peer is not told of it. */
export type ExportPath = (path: UsablePath) => AttributeSet | null;

/** So many services are looked at for one batch; what is left waits until the peer has taken it. */
const batchServices = 4_096;

/**
 * The sending half of a session. It keeps which services changed, not messages: a peer that reads slowly costs no more
 * than its marks, and finds only the last state of what changed several times.
 */
export class Outbound {
  readonly rib = new AdjRibOut();
  readonly #locRib: LocRib;
  readonly #exportPath: ExportPath;
  readonly #healthIntervalMs: number;
  #changed = new Set<string>();
  readonly #changedHealth = new Set<string>();
  /** What is still to be gone through of the Loc-RIB; null when it was. */
  #dump: Iterator<string> | null;
  /** Whether routes are told that the peer knows already. */
  #force = false;
  /** What the END_OF_RIB after the dump says; null for none. */
  #endOfRib: number | null = 0;
  /** What one says that is still to be sent, behind all that has changed; null for none. */
  #ending: number | null = null;
  #refreshAsked: number | null = null;
  #healthAt = 0;
  #busy = false;

  constructor(locRib: LocRib, exportPath: ExportPath, healthIntervalMs: number) {
    this.#locRib = locRib;
    this.#exportPath = exportPath;
    this.#healthIntervalMs = healthIntervalMs;
    this.#dump = locRib.services();
  }

  /** Marks a service whose routes changed. */
  touch(service: string): void {
    this.#changed.add(service);
  }

  /** Marks a service of which a route works again, or no longer. */
  touchHealth(service: string): void {
    this.#changedHealth.add(service);
  }

  /** The peer asks for everything once more; of several such wishes in a round, the last one counts. */
  refresh(number: number): void {
    if (this.#dump !== null) this.#refreshAsked = number;
    else this.#beginRefresh(number);
  }

  /** The peer took what {@link take} gave. */
  taken(): void {
    this.#busy = false;
  }

  /** When {@link take} has something to give; null when it waits for the peer, or for a change. */
  nextAt(now: number, mayEnd: boolean): number | null {
    if (this.#busy) return null;
    if (this.#ending !== null && mayEnd) return now;
    if (this.#changed.size > 0 || this.#dump !== null) return now;
    return this.#changedHealth.size > 0 ? Math.max(now, this.#healthAt) : null;
  }

  /**
   * The next messages, in their order; none while the peer has not taken the last ones. `mayEnd` says whether this node
   * knows all that there is to tell, so that END_OF_RIB is true.
   */
  take(now: number, mayEnd: boolean): readonly Uint8Array[] {
    if (this.#busy) return [];
    const batch = new Batch();
    const finished = this.#takeServices(batch);
    if (now >= this.#healthAt && this.#changedHealth.size > 0) {
      this.#takeHealth(batch);
      this.#healthAt = now + this.#healthIntervalMs;
    }
    const messages = [...batch.messages()];
    if (finished) this.#finishDump();
    if (this.#ending !== null && mayEnd && this.#changed.size === 0) {
      messages.push(encodeEndOfRib({ refresh: this.#ending }));
      this.#ending = null;
    }
    this.#busy = messages.length > 0;
    return messages;
  }

  /** Plans changed services, then those of the dump; true when the dump ended by it. */
  #takeServices(batch: Batch): boolean {
    let room = batchServices - this.#takeChanged(batch);
    if (this.#dump === null) return false;
    for (; room > 0; room--) {
      const { value, done } = this.#dump.next();
      if (done === true) {
        this.#dump = null;
        return true;
      }
      this.#plan(value, this.#force, batch);
    }
    return false;
  }

  /** Plans changed services, as many as a batch has room for; how many they were. */
  #takeChanged(batch: Batch): number {
    const { size } = this.#changed;
    if (size <= batchServices) {
      const all = this.#changed;
      this.#changed = new Set();
      for (const service of all) this.#plan(service, false, batch);
      return size;
    }
    for (const service of this.#changed.values().take(batchServices)) {
      this.#changed.delete(service);
      this.#plan(service, false, batch);
    }
    return batchServices;
  }

  #plan(service: string, force: boolean, batch: Batch): void {
    const wanted: Wanted[] = [];
    for (const path of selectBest(this.#locRib.paths(service))) {
      const attributes = this.#exportPath(path);
      if (attributes !== null) wanted.push({ attributes, healthy: path.healthy });
    }
    this.rib.replace(service, wanted, force, batch);
  }

  #takeHealth(batch: Batch): void {
    for (const service of this.#changedHealth) {
      const told = new Set(this.rib.get(service).map(({ origin }) => origin));
      for (const { received, healthy } of selectBest(this.#locRib.paths(service))) {
        if (told.has(received.origin)) this.rib.tellHealth(service, received.origin, healthy, batch);
      }
    }
    this.#changedHealth.clear();
  }

  #beginRefresh(number: number): void {
    this.#dump = this.#locRib.services();
    this.#force = true;
    this.#endOfRib = number;
  }

  #finishDump(): void {
    this.#force = false;
    this.#ending = this.#endOfRib ?? this.#ending;
    this.#endOfRib = null;
    if (this.#refreshAsked === null) return;
    this.#beginRefresh(this.#refreshAsked);
    this.#refreshAsked = null;
  }
}
