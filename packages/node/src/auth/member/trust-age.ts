import { DurableError } from "@catalyst/durable";
import type { IdentityFolder } from "@catalyst/identity";

export type TrustAgeParts = {
  readonly folder: Pick<IdentityFolder, "heardAt" | "keepHeardAt">;
  /** How old what was heard may be. */
  readonly maxMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** It is on disk to this much: a start makes what is believed hardly older, and never younger. */
const keptEveryMs = 60_000;

/**
 * How long ago the root authority was heard: spec/enrolment.md §5. What was too old once stays so until it is heard
 * again, whatever is done to the clock. Throws IdentityError `identity_damaged`.
 */
export class TrustAge {
  readonly #parts: TrustAgeParts;
  #heardAt: number;
  #keptAt: number;

  constructor(parts: TrustAgeParts) {
    this.#parts = parts;
    const kept = parts.folder.heardAt();
    this.#heardAt = kept ?? parts.now();
    this.#keptAt = this.#heardAt;
    if (kept === null) this.#keep(this.#heardAt);
  }

  /** It said something just now, if only that nothing is new. */
  heard(): void {
    const now = this.#parts.now();
    this.#heardAt = now;
    if (Math.abs(now - this.#keptAt) >= keptEveryMs) this.#keep(now);
  }

  /** Whether what it said is too old to go by. */
  isStale(): boolean {
    const { now, maxMs } = this.#parts;
    if (this.#heardAt === 0) return true;
    if (now() - this.#heardAt <= maxMs) return false;
    this.#heardAt = 0;
    this.#keep(0);
    return true;
  }

  /** A full disk holds nothing up: it is tried again, and a start then takes what was heard for older than it is. */
  #keep(at: number): void {
    try {
      this.#parts.folder.keepHeardAt(at);
      this.#keptAt = at;
    } catch (error) {
      if (!(error instanceof DurableError)) throw error;
    }
  }
}
