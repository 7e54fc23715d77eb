import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { StarError } from "./errors.ts";

export type SessionOptions = {
  /** The secret of this star, which callers know. */
  readonly token: string;
  /** How long a session lives after it was used last, in ms; default an hour. */
  readonly idleMs?: number;
  /** How many there are at most; default 10,000. */
  readonly most?: number;
  /** How many one address has at most; default 1,000. */
  readonly mostOfOne?: number;
  /** The monotonic clock, in ms. */
  readonly clock?: () => number;
};

type Session = { readonly address: string; usedAt: number };

/** Who has shown the star's token: each caller has a session of its own, which ends when it rests. */
export class Sessions {
  readonly #token: Buffer;
  readonly #idleMs: number;
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #clock: () => number;
  /** By the digest of the id, in the order in which they were used last. */
  readonly #sessions = new Map<string, Session>();
  readonly #ofAddress = new Map<string, number>();

  constructor(options: SessionOptions) {
    const { token, idleMs = 3_600_000, most = 10_000, mostOfOne = 1_000, clock } = options;
    this.#token = hash("sha256", token, "buffer");
    this.#idleMs = idleMs;
    this.#most = most;
    this.#mostOfOne = mostOfOne;
    this.#clock = clock ?? (() => performance.now());
  }

  get count(): number {
    this.#expire();
    return this.#sessions.size;
  }

  /**
   * The id of a new session; null where the token is another one. Where there are too many, of this address or in all, the
   * one that was used least lately ends: callers that open one for each command are no reason to refuse others.
   */
  begin(token: string, address: string): string | null {
    // Digests have one length, and take the same time to compare whatever is in them.
    if (!timingSafeEqual(hash("sha256", token, "buffer"), this.#token)) return null;
    this.#expire();
    const held = this.#ofAddress.get(address) ?? 0;
    if (held >= this.#mostOfOne) this.#endOldest((session) => session.address === address);
    else if (this.#sessions.size >= this.#most) this.#endOldest(() => true);
    const id = randomBytes(32).toString("base64url");
    this.#sessions.set(keyOf(id), { address, usedAt: this.#clock() });
    this.#ofAddress.set(address, (this.#ofAddress.get(address) ?? 0) + 1);
    return id;
  }

  /** Notes that a session is used. Throws StarError `session_missing`. */
  use(id: string | undefined): void {
    this.#expire();
    const key = id === undefined ? "" : keyOf(id);
    const session = this.#sessions.get(key);
    if (session === undefined) {
      throw new StarError(
        "session_missing",
        "this call needs the metadata session-id of a session: call Handshake",
      );
    }
    session.usedAt = this.#clock();
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
  }

  #expire(): void {
    const oldest = this.#clock() - this.#idleMs;
    for (const [key, session] of this.#sessions) {
      if (session.usedAt > oldest) return;
      this.#end(key, session);
    }
  }

  #endOldest(isMeant: (session: Session) => boolean): void {
    const found = this.#sessions.entries().find(([, session]) => isMeant(session));
    if (found !== undefined) this.#end(...found);
  }

  #end(key: string, { address }: Session): void {
    this.#sessions.delete(key);
    const held = (this.#ofAddress.get(address) ?? 1) - 1;
    if (held > 0) this.#ofAddress.set(address, held);
    else this.#ofAddress.delete(address);
  }
}

/** Ids are looked up by their digest: how long that takes says nothing of which there are. */
function keyOf(id: string): string {
  return hash("sha256", id, "base64url");
}
