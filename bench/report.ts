import { readFileSync } from "node:fs";

/** One line of a benchmark's result; the statistics are over `n` rounds. */
export type Row = {
  readonly case: string;
  readonly metric: string;
  readonly system: string;
  readonly unit: string;
  readonly n: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
};

/** What our own system is held to: the median of a metric is at most, or at least, this. */
export type Target = {
  readonly case: string;
  readonly metric: string;
  /** `catalyst`, or a variant of it; by default `catalyst`. */
  readonly system?: string;
  /** A share is one of another system's median in the same case; nothing is held to it where that did not run. */
  readonly atMost?: number | Share;
  readonly atLeast?: number | Share;
};

/** A share of another system's median. */
export type Share = { readonly share: number; readonly of: string };

/** A benchmark; `bench/NAME.ts` exports one as `bench`. */
export type Bench = {
  readonly name: string;
  readonly targets: readonly Target[];
  /** Flags that it knows besides `--json`. */
  readonly flags?: readonly string[];
  /** Runs everything side by side; `say` tells a person how it goes. */
  readonly run: (say: (text: string) => void, flags: ReadonlySet<string>) => Promise<readonly Row[]>;
};

/** The name under which our own rows are reported. */
export const ours = "catalyst";

/** A row from one value per round. */
export function toRow(
  what: { readonly case: string; readonly metric: string; readonly system: string; readonly unit: string },
  values: readonly number[],
): Row {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    ...what,
    n: sorted.length,
    min: round(sorted[0]),
    median: round(percentile(sorted, 0.5)),
    max: round(sorted.at(-1)),
  };
}

const units: Readonly<Record<string, string>> = {
  throughput: "MB/s",
  rate: "1/s",
  time: "s",
  cpu: "CPU-s",
  rss: "MB",
  overhead: "%",
  p50: "ms",
  p99: "ms",
};

/** What a round cost. */
export type Cost = {
  readonly seconds: number;
  readonly bytes: number;
  readonly cpuSeconds: number;
  readonly rssMegabytes: number;
};

/** The values of the rounds, row by row. */
export class Values {
  readonly #values = new Map<string, { readonly what: [string, string, string]; readonly all: number[] }>();

  add(name: string, metric: string, system: string, value: number): void {
    const what: [string, string, string] = [name, metric, system];
    const row = this.#values.get(what.join()) ?? { what, all: [] };
    this.#values.set(what.join(), row);
    row.all.push(value);
  }

  addThroughput(name: string, system: string, cost: Cost | null): void {
    if (cost === null) return;
    this.add(name, "throughput", system, cost.bytes / 1e6 / cost.seconds);
    this.addCost(name, system, cost);
  }

  addCost(name: string, system: string, { cpuSeconds, rssMegabytes }: Omit<Cost, "bytes" | "seconds">): void {
    this.add(name, "cpu", system, cpuSeconds);
    this.add(name, "rss", system, rssMegabytes);
  }

  rows(): Row[] {
    return [...this.#values.values()].map(({ what: [name, metric, system], all }) =>
      toRow({ case: name, metric, system, unit: units[metric] ?? "" }, all),
    );
  }
}

/** The value below which a share of the values lies; of sorted values, or any. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The most memory that a process ever had, in MB. */
export function peakMegabytes(pid: number | undefined): number {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(peak) * 1024) / 1e6;
}

/** The rows as a table for people, with the targets beside ours. */
export function renderTable(rows: readonly Row[], targets: readonly Target[]): string {
  const lines = rows.map((row) => [
    row.case,
    row.metric,
    row.system,
    `${row.median} ${row.unit}`,
    `${row.min} to ${row.max}`,
    String(row.n),
    verdict(row, rows, targets),
  ]);
  const all = [["case", "metric", "system", "median", "range", "n", "target"], ...lines];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
  return all
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function verdict(row: Row, rows: readonly Row[], targets: readonly Target[]): string {
  const target = targets.find(
    ({ case: name, metric, system = ours }) =>
      name === row.case && metric === row.metric && system === row.system,
  );
  if (!target) return "";
  const [most, least] = [boundOf(target.atMost, row, rows), boundOf(target.atLeast, row, rows)];
  if (most === undefined && least === undefined) return "";
  const met = row.median <= (most ?? row.median) && row.median >= (least ?? row.median);
  const bound = most === undefined ? `>= ${least}` : `<= ${most}`;
  return `${bound} ${met ? "met" : "MISSED"}`;
}

function boundOf(bound: number | Share | undefined, row: Row, rows: readonly Row[]): number | undefined {
  if (typeof bound !== "object") return bound;
  const other = rows.find(
    ({ case: name, metric, system }) => name === row.case && metric === row.metric && system === bound.of,
  );
  return other === undefined ? undefined : round(other.median * bound.share);
}

function round(value = Number.NaN): number {
  return Number(value.toPrecision(4));
}
