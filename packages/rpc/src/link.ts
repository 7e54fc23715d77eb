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
 * Keeps a connection to a process: runs `use` on each new one, with a signal that aborts when it ends, and connects
 * again with backoff, until `signal` aborts. What `use` throws is reported to `onFailure` and counts as a failed
 * connection; one that held for a second ends the history of failures.
 */
export async function keepConnected<C extends Contract>(
  path: string,
  contract: C,
  options: LinkOptions,
  use: (connection: Connection<C>, during: AbortSignal) => Promise<void>,
): Promise<void> {
  const { signal, minDelayMs = 50, maxDelayMs = 1_000, random = Math.random } = options;
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
  let failures = 0;
  while (!signal.aborted) {
    try {
      using connection = await connectRpc(path, contract, { signal, ...timeout });
      const held = setTimeout(() => {
        failures = 0;
      }, holdMs);
      try {
        await during(connection, signal, use);
      } finally {
        clearTimeout(held);
      }
    } catch (error) {
      if (signal.aborted) return;
      options.onFailure?.(error);
    }
    const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures++, 10));
    await sleep(ceiling * (0.5 + random() / 2), undefined, { signal }).catch(() => undefined);
  }
}

const holdMs = 1_000;

/** Uses a connection until it breaks, which rejects, or until the signal aborts. */
async function during<C extends Contract>(
  connection: Connection<C>,
  signal: AbortSignal,
  use: (connection: Connection<C>, during: AbortSignal) => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const stop = () => ended.abort();
  signal.addEventListener("abort", stop, { once: true });
  const broken = connection.closed.then(() => {
    if (!signal.aborted) throw new RpcError("disconnected", "the process went away");
  });
  try {
    await Promise.race([broken, Promise.all([use(connection, ended.signal), aborted(ended.signal)])]);
  } finally {
    signal.removeEventListener("abort", stop);
    ended.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
