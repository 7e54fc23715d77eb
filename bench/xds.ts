import { setTimeout as sleep } from "node:timers/promises";
import { type Bench, ours, percentile, type Row, toRow } from "./report.ts";
import { startNode } from "./xds/node-subject.ts";
import { startServer } from "./xds/server-subject.ts";
import { type Case, type Sample, type Subject, services } from "./xds/subject.ts";
import { findSystems } from "./xds/system.ts";

const rounds = 3;
const quietMs = 15;
/** A change that is not served by then is lost: of ours that ends the benchmark, of a reference it is told. */
const giveUpMs = 10_000;

/**
 * A change in the control plane until the real Envoy serves it, with 10,000 services in place: our xDS server and
 * the reference's by themselves, and our whole node, where a change comes by RPC, is written to disk first, and a
 * real service answers.
 */
export const bench: Bench = {
  name: "xds",
  targets: [
    { case: "route_change", metric: "p50", atMost: 2 },
    { case: "route_change", metric: "p99", atMost: 15 },
    { case: "add_one_of_10000", metric: "p50", atMost: 20 },
    { case: "add_one_of_10000", metric: "bytes", atMost: 2_000 },
    { case: "add_one_of_10000", metric: "rss", atMost: 300 },
    { case: "add_one_of_10000", metric: "p50", system: `${ours}+node`, atMost: 20 },
    { case: "add_one_of_10000", metric: "bytes", system: `${ours}+node`, atMost: 2_000 },
    { case: "add_one_of_10000", metric: "rss", system: `${ours}+node`, atMost: 300 },
  ],
  run: async (say) => {
    const starts = [...findSystems(say).map((launch) => () => startServer(launch)), startNode];
    const rows: Row[] = [];
    for (const start of starts) {
      say(`${services} services are loaded`);
      await using subject = await start();
      for (const each of subject.cases) {
        say(`${subject.name}: ${each.name}`);
        rows.push(...(await measure(subject, each, say)));
      }
    }
    return rows;
  },
};

async function measure(
  subject: Subject,
  { name, samples, sample }: Case,
  say: (text: string) => void,
): Promise<Row[]> {
  const values = { p50: [] as number[], p99: [] as number[], bytes: [] as number[], rss: [] as number[] };
  for (let round = 0, count = 0; round < rounds; round++) {
    const before = await subject.received();
    const times: number[] = [];
    for (let at = 0; at < samples; at++) {
      await sleep(quietMs);
      const time = await timeToServe(sample(count++));
      if (time !== null) times.push(time);
      else if (subject.name.startsWith(ours)) throw new Error(`${subject.name}: a change was lost`);
      else say(`${subject.name}: a change was lost, and is not counted`);
    }
    values.p50.push(percentile(times, 0.5));
    values.p99.push(percentile(times, 0.99));
    values.bytes.push(((await subject.received()) - before) / samples);
    values.rss.push(subject.peakMegabytes());
  }
  const row = (metric: keyof typeof values, unit: string) =>
    toRow({ case: name, metric, system: subject.name, unit }, values[metric]);
  return [row("p50", "ms"), row("p99", "ms"), row("bytes", "B"), row("rss", "MB")];
}

async function timeToServe({ change, served }: Sample): Promise<number | null> {
  const changed = change();
  const giveUp = Date.now() + giveUpMs;
  while (!(await served())) if (Date.now() > giveUp) return null;
  const end = process.hrtime.bigint();
  return Number(end - (await changed)) / 1e6;
}
