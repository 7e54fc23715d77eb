import type { ChildStatus } from "@catalyst/rpc";
import type { Logger, Metrics } from "@catalyst/telemetry";
import type { ProcessUsage } from "./process-usage.ts";

/** A child at the moment of a scrape. */
export type ChildSample = {
  readonly status: Pick<ChildStatus, "name" | "state">;
  readonly uptimeMs: number | null;
  readonly usage: ProcessUsage | null;
};

/** Everything that the supervisor logs and counts, one function per event. */
export type SupervisorEvents = {
  /** `restarts` is 0 for the first start. */
  childStarted(child: string, restarts: number): void;
  childChanged(from: string, status: ChildStatus): void;
  /** The next supervisor will not know of the child, should this one be killed. */
  childNotRecorded(child: string, error: unknown): void;
  leftoversEnded(names: readonly string[]): void;
  logNotTrimmed(error: unknown): void;
  sampled(children: readonly ChildSample[]): void;
};

const states = [
  "starting",
  "ready",
  "unready",
  "backoff",
  "stopped",
] as const satisfies ChildStatus["state"][];

export function createSupervisorEvents(logger: Logger, metrics: Metrics): SupervisorEvents {
  const restarts = metrics.counter("supervisor_child_restarts_total", "Starts of a child after its first.", [
    "child",
  ]);
  const state = metrics.gauge("supervisor_child_state", "1 for the state that a child is in, else 0.", [
    "child",
    "state",
  ]);
  const uptime = metrics.gauge(
    "supervisor_child_uptime_seconds",
    "For how long a child's process has run; 0 while there is none.",
    ["child"],
  );
  const cpu = metrics.counter(
    "supervisor_child_cpu_seconds_total",
    "Processor time of a child, all its runs.",
    ["child"],
  );
  const resident = metrics.gauge("supervisor_child_resident_bytes", "Memory of a child in RAM.", ["child"]);
  const spent = new Map<string, number>();
  return {
    childStarted: (child, count) => {
      restarts.inc({ child }, count === 0 ? 0 : 1);
      spent.delete(child); // a new process begins to count at 0
    },
    childChanged: (from, { name, state: to, lastExit, lastError }) => {
      const fields = { child: name, from, to, lastExit, lastError };
      if (to === "backoff") logger.warn(fields, "child ended and will be started again");
      else logger.info(fields, "child changed");
    },
    childNotRecorded: (child, error) => {
      logger.warn({ err: error, child }, "the child could not be noted down");
    },
    leftoversEnded: (names) => {
      if (names.length > 0) logger.warn({ children: names }, "ended what an earlier supervisor left running");
    },
    logNotTrimmed: (error) => logger.warn({ err: error }, "a log could not be trimmed"),
    sampled: (children) => {
      for (const { status, uptimeMs, usage } of children) {
        const child = status.name;
        for (const each of states) state.set({ child, state: each }, each === status.state ? 1 : 0);
        uptime.set({ child }, (uptimeMs ?? 0) / 1_000);
        resident.set({ child }, usage?.residentBytes ?? 0);
        if (usage === null) continue;
        cpu.inc({ child }, Math.max(0, usage.cpuSeconds - (spent.get(child) ?? 0)));
        spent.set(child, usage.cpuSeconds);
      }
    },
  };
}
