/** Work that is due every so often. */
export type Recurring = {
  /** 0 for never. */
  readonly everyMs: number;
  /** When it was done last, in milliseconds since 1970; null for never. */
  readonly lastAt: () => Promise<number | null>;
  /** Begins it, unless it runs already. */
  readonly begin: () => Promise<unknown>;
};

export type ScheduleOptions = {
  readonly now?: () => number;
  /** How often it is looked whether something is due; default 30,000 ms. A clock that jumps costs no more than this. */
  readonly lookMs?: number;
};

/** What was never done begins this long after the start, so that a process that is often restarted gets to it. */
const firstAfterMs = 3_600_000;

/** Whether work is due. A last time in the future, before a clock was set back, is none. */
export function isDue(everyMs: number, lastAt: number | null, since: number, now: number): boolean {
  if (everyMs <= 0) return false;
  if (lastAt === null || lastAt > now) return now - since >= Math.min(everyMs, firstAfterMs);
  return now - lastAt >= everyMs;
}

/** Begins what is due, from now on until it is disposed. */
export function startSchedule(
  work: Readonly<Record<string, Recurring>>,
  onFailure: (name: string, error: unknown) => void,
  { now = Date.now, lookMs = 30_000 }: ScheduleOptions = {},
): Disposable {
  const since = now();
  const look = async ({ everyMs, lastAt, begin }: Recurring) => {
    if (isDue(everyMs, await lastAt(), since, now())) await begin();
  };
  const timer = setInterval(() => {
    for (const [name, each] of Object.entries(work)) look(each).catch((error) => onFailure(name, error));
  }, lookMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
