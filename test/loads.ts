import { Load, type LoadOptions, type NodeUnderTest, type Outcome } from "@catalyst/harness";

/** Status and code of an answer that is not the right one. */
function wrong(status: number, text: string): string {
  return `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 200)}`;
}

/** Queries over both services of the shop at a node's ingress. */
export function queries(node: NodeUnderTest, options: Partial<LoadOptions> = {}): Load {
  const query = "{ products { name reviews { rating } } }";
  return new Load({
    url: node.endpoint,
    body: () => JSON.stringify({ query }),
    judge: (status, text) =>
      status === 200 && text.includes("Lamp") && !text.includes("errors") ? null : wrong(status, text),
    ...gentle,
    ...options,
  });
}

/** Requests for a service that answers `hello`, at a listener of a node, by Host. */
export function byHost(port: number, host: string, options: Partial<LoadOptions> = {}): Load {
  return new Load({
    url: `http://127.0.0.1:${port}/`,
    judge: (status, text) => (status === 200 && text === "hello" ? null : wrong(status, text)),
    ...gentle,
    ...options,
    headers: () => ({ host, ...options.headers?.() }),
  });
}

/** Enough to meet every gap, and little enough that nodes and clients share two cores. */
const gentle = { concurrency: 2, pauseMs: 10 } as const;

/** What went well and what did not; what is expected not to is left out of both. */
export function countedBy(
  outcomes: readonly Outcome[],
  expected?: RegExp,
): { readonly ok: number; readonly failed: readonly Outcome[] } {
  const failed = outcomes.filter(({ ok, what }) => !ok && expected?.test(what) !== true);
  return { ok: outcomes.filter(({ ok }) => ok).length, failed };
}

/** The figures of a load in a line; `since` is when something was done to it. */
export function summary(outcomes: readonly Outcome[], expected?: RegExp, since?: number): string {
  const { ok, failed } = countedBy(outcomes, expected);
  const longest = Math.round(Math.max(0, ...outcomes.map(({ tookMs }) => tookMs)));
  const last = failed.at(-1);
  const until =
    last === undefined || since === undefined ? "" : `, the last after ${Math.round(last.at - since)} ms`;
  const kinds = Map.groupBy(failed, ({ what }) => what);
  const shown = [...kinds].map(([what, each]) => `; ${each.length} × ${what}`).join("");
  return `${outcomes.length} requests, ${ok} answered, ${failed.length} failed${until}, longest ${longest} ms${shown}`;
}
