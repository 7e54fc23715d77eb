import type { Connection } from "./connection.ts";
import type { QuarantinedResource } from "./status.ts";

/** `revision` defaults to what is published now; `timeoutMs` to 10,000. */
export type SettlementOptions = {
  readonly revision?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** How far a revision came. It is complete when no proxy is waited for; rejected resources do not count as waiting. */
export type Settlement = {
  readonly complete: boolean;
  readonly revision: number;
  /** Node ids that still have to acknowledge something. */
  readonly waitingFor: readonly string[];
  /** What the proxies of the key have in quarantine. */
  readonly quarantined: readonly QuarantinedResource[];
};

type Waiter = { readonly key: string; readonly revision: number; readonly finish: () => void };

const defaultTimeoutMs = 10_000;

/** Those who wait for proxies to acknowledge. */
export class Settlements {
  readonly #ofKey: (key: string) => readonly Connection[];
  readonly #waiters = new Set<Waiter>();

  constructor(ofKey: (key: string) => readonly Connection[]) {
    this.#ofKey = ofKey;
  }

  /** Resolves when the revision is complete, at the timeout, when aborted, or when the server closes; never rejects. */
  wait(key: string, published: number, options: SettlementOptions = {}): Promise<Settlement> {
    const { revision = published, timeoutMs = defaultTimeoutMs, signal } = options;
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve(this.#describe(key, revision));
      };
      const waiter: Waiter = { key, revision, finish };
      const timer = setTimeout(finish, timeoutMs);
      signal?.addEventListener("abort", finish);
      this.#waiters.add(waiter);
      if (signal?.aborted) finish();
      else this.check();
    });
  }

  /** Looks at everybody who waits. */
  check(): void {
    for (const { key, revision, finish } of this.#waiters) {
      if (this.#ofKey(key).every((connection) => connection.isSettled(revision))) finish();
    }
  }

  close(): void {
    for (const { finish } of this.#waiters) finish();
  }

  #describe(key: string, revision: number): Settlement {
    const connections = this.#ofKey(key);
    const waitingFor = connections.filter((each) => !each.isSettled(revision)).map(({ node }) => node);
    const quarantined = connections.flatMap((each) => each.quarantined());
    return { complete: waitingFor.length === 0, revision, waitingFor, quarantined };
  }
}
