import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, connectRpc } from "./connection.ts";
import type { Contract } from "./contract.ts";
import { RpcError } from "./errors.ts";

export type LinkOptions = {
  readonly signal: AbortSignal;
  /** First wait after a failure; doubles up to `maxDelayMs`, with jitter. Default 50 ms. */
  readonly minDelayMs?: number;
  /** Default 1,000 ms. */
  readonly maxDelayMs?: number;
  /** For connecting, and for each call that does not say otherwise. Default 10,000 ms. */
  readonly timeoutMs?: number;
  readonly random?: () => number;
  readonly onFailure?: (error: unknown) => void;
};

/**
 * Keeps a connection to a process: runs `use` on each new one until it ends, and connects again with backoff,
 * until the signal aborts. What `use` throws is reported to `onFailure` and counts as a failed connection.
 */
export async function keepConnected<C extends Contract>(
  path: string,
  contract: C,
  options: LinkOptions,
  use: (connection: Connection<C>) => Promise<void>,
): Promise<void> {
  const { signal, minDelayMs = 50, maxDelayMs = 1_000, random = Math.random } = options;
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
  let failures = 0;
  while (!signal.aborted) {
    try {
      using connection = await connectRpc(path, contract, { signal, ...timeout });
      failures = 0;
      await Promise.all([use(connection), ended(connection, signal)]);
    } catch (error) {
      if (signal.aborted) return;
      options.onFailure?.(error);
    }
    const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures++, 10));
    await sleep(ceiling * (0.5 + random() / 2), undefined, { signal }).catch(() => undefined);
  }
}

/** Rejects when the connection breaks, so that work on it is given up; resolves when the signal aborts. */
function ended<C extends Contract>(connection: Connection<C>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve();
    signal.addEventListener("abort", stop, { once: true });
    void connection.closed.then(() => {
      signal.removeEventListener("abort", stop);
      reject(new RpcError("disconnected", "the process went away"));
    });
  });
}
