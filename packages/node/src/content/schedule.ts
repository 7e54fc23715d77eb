/** Work that is due every so often, and when it was done last: null for never. */
export type Recurring = {
  readonly everyMs: number;
  readonly lastAt: () => number | null;
  /** Begins it, and does not wait for its end. */
  readonly begin: () => Promise<unknown>;
};

/** How often it is looked whether something is due: a clock that jumps costs no more than this. */
const lookEveryMs = 30_000;

/** What was never done begins this long after the start, so that a process that is often restarted gets to it. */
const firstAfterMs = 3_600_000;

/** Whether work is due. A last time in the future, before a clock was set back, is none. */
export function isDue({ everyMs, lastAt }: Omit<Recurring, "begin">, since: number, now: number): boolean {
  if (everyMs <= 0) return false;
  const last = lastAt();
  if (last === null || last > now) return now - since >= Math.min(everyMs, firstAfterMs);
  return now - last >= everyMs;
}

/** Begins what is due, from now on until it is disposed. */
export function startSchedule(
  work: Readonly<Record<string, Recurring>>,
  onFailure: (name: string, error: unknown) => void,
  { now = Date.now, lookMs = lookEveryMs }: { now?: () => number; lookMs?: number } = {},
): Disposable {
  const since = now();
  const look = () => {
    for (const [name, each] of Object.entries(work)) {
      if (isDue(each, since, now())) each.begin().catch((error: unknown) => onFailure(name, error));
    }
  };
  const timer = setInterval(look, lookMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
