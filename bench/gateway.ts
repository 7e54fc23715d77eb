import { join } from "node:path";
import { clientHeaders, type Endpoint, putLoad, verify } from "./gateway/ask.ts";
import { type Case, cases } from "./gateway/cases.ts";
import type { LoadResult } from "./gateway/load.ts";
import { cpuSeconds, familyOf, type ServerProcess, startServer } from "./gateway/process-under-test.ts";
import { findFeatures, findSystems, type Launch, peerName, type System } from "./gateway/system.ts";
import { type Bench, peakMegabytes, type Row, toRow } from "./report.ts";

const rounds = 8;
const connections = 32;
const roundMs = 3_000;
const warmUpMs = 5_000;

/**
 * The gateway over three subgraphs that cost as little as can be, side by side with the reference: what is measured
 * is CPU of the gateway's own processes. Round follows round of each in turn, so that what else the machine does
 * hits all. Every gateway's first answer is held against that of a service which has everything itself. With
 * `--features`, ours is beside itself without one thing or another instead.
 */
export const bench: Bench = {
  name: "gateway",
  flags: ["--features"],
  targets: cases.map(({ name }) => ({
    case: name,
    metric: "cpu_per_request",
    atMost: { share: 0.3, of: peerName },
  })),
  run: async (say, flags) => {
    const features = flags.has("--features");
    const launches = features ? findFeatures() : findSystems(say);
    const rows: Row[] = [];
    for (const each of cases.filter(({ name }) => !features || name !== "large"))
      rows.push(...(await measureCase(each, launches, say)));
    return rows;
  },
};

type Subject = { readonly endpoint: Endpoint; readonly system: System; readonly bodyBytes: number };

async function measureCase(
  each: Case,
  launches: readonly Launch[],
  say: (text: string) => void,
): Promise<Row[]> {
  await using started = new AsyncDisposableStack();
  const backend = started.use(await startServer(join(import.meta.dirname, "gateway", "backend.ts"), []));
  const all: { readonly subject: Subject; readonly values: Values }[] = [];
  for (const { name, headers = clientHeaders, start } of launches) {
    const system = started.use(await start(backend.port));
    const endpoint = { name, headers, port: system.port };
    const subject = { endpoint, system, bodyBytes: await verify(endpoint, each) };
    const { sent } = await run(subject, each, warmUpMs, backend);
    say(`${each.name}: ${name} asks the subgraphs ${sent.toPrecision(3)} times for an answer`);
    all.push({ subject, values: noValues() });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { subject, values } of all) {
      say(`${each.name}: ${subject.endpoint.name}, ${round + 1} of ${rounds}`);
      add(values, subject.system, await run(subject, each, roundMs, backend));
    }
  }
  return all.flatMap(({ subject, values }) => toRows(each, subject, values));
}

type Measured = LoadResult & {
  readonly cpu: number;
  /** Requests to the subgraphs for one answer. */
  readonly sent: number;
};

async function run(
  { endpoint, system, bodyBytes }: Subject,
  each: Case,
  forMs: number,
  backend: ServerProcess,
): Promise<Measured> {
  const sentBefore = Number(await backend.tell("requests"));
  const cpuBefore = cpuSeconds(familyOf(system.pids));
  const result = await putLoad(endpoint, each, { connections, forMs, bodyBytes });
  const cpu = cpuSeconds(familyOf(system.pids)) - cpuBefore;
  const sent = (Number(await backend.tell("requests")) - sentBefore) / result.answers;
  if (result.wrong > 0) throw new Error(`${endpoint.name}: ${result.wrong} wrong answers to ${each.name}`);
  return { ...result, cpu, sent };
}

const units = { cpu_per_request: "ms", rate: "1/s", p50: "ms", p99: "ms", rss: "MB" } as const;
type Metric = keyof typeof units;
type Values = Readonly<Record<Metric, number[]>>;

function noValues(): Values {
  return { cpu_per_request: [], rate: [], p50: [], p99: [], rss: [] };
}

function add(values: Values, { pids }: System, { answers, cpu, seconds, p50Ms, p99Ms }: Measured): void {
  values.cpu_per_request.push((cpu / answers) * 1_000);
  values.rate.push(answers / seconds);
  values.p50.push(p50Ms);
  values.p99.push(p99Ms);
  values.rss.push(familyOf(pids).reduce((sum, pid) => sum + peakMegabytes(pid), 0));
}

function toRows(each: Case, { endpoint }: Subject, values: Values): Row[] {
  const metrics = Object.keys(units) as Metric[];
  return metrics.map((metric) =>
    toRow({ case: each.name, metric, system: endpoint.name, unit: units[metric] }, values[metric]),
  );
}
