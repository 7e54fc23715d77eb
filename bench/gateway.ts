import { execFile } from "node:child_process";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { compile } from "./gateway/answer.ts";
import { type Case, cases } from "./gateway/cases.ts";
import type { Job, LoadResult } from "./gateway/load.ts";
import { cpuSeconds, type ServerProcess, startServer } from "./gateway/process-under-test.ts";
import { monolith } from "./gateway/shop.ts";
import { findFeatures, findSystems, type Launch, type System } from "./gateway/system.ts";
import { type Bench, peakMegabytes, type Row, toRow } from "./report.ts";

const rounds = 3;
const connections = 32;
const roundMs = 8_000;
const warmUpMs = 5_000;
const peerName = "@graphql-hive/gateway";
/** What a client sends besides, of the size of a credential of ours. */
const credential = { authorization: `Bearer ${"x".repeat(640)}` };
const path = "/graphql";

/**
 * The gateway over three subgraphs that cost as little as can be, side by side with the reference: what is measured
 * is CPU of the gateway's own processes. Round follows round of each in turn, so that what else the machine does
 * hits all. Every gateway's first answer is held against that of a service which has everything itself.
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
    const launches = flags.has("--features") ? findFeatures() : findSystems(say);
    const rows: Row[] = [];
    for (const each of cases) rows.push(...(await measureCase(each, launches, say)));
    return rows;
  },
};

type Say = (text: string) => void;
type Subject = { readonly launch: Launch; readonly system: System; readonly bodyBytes: number };
type Values = Readonly<Record<"cpu_per_request" | "rate" | "p50" | "p99" | "rss", number[]>>;

async function measureCase(each: Case, launches: readonly Launch[], say: Say): Promise<Row[]> {
  await using started = new AsyncDisposableStack();
  const backend = started.use(await startServer(join(import.meta.dirname, "gateway", "backend.ts"), []));
  const subjects: Subject[] = [];
  for (const launch of launches) {
    const system = started.use(await launch.start(backend.port));
    const subject = { launch, system, bodyBytes: await verify(each, launch, system) };
    const { sent } = await run(subject, each, warmUpMs, backend);
    say(`${each.name}: ${launch.name} asks the subgraphs ${sent.toPrecision(3)} times for an answer`);
    subjects.push(subject);
  }
  const all = subjects.map((subject) => {
    const values: Values = { cpu_per_request: [], rate: [], p50: [], p99: [], rss: [] };
    return { subject, values };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { subject, values } of all) {
      say(`${each.name}: ${subject.launch.name}, ${round + 1} of ${rounds}`);
      const { answers, cpu, seconds, p50Ms, p99Ms } = await run(subject, each, roundMs, backend);
      values.cpu_per_request.push((cpu / answers) * 1_000);
      values.rate.push(answers / seconds);
      values.p50.push(p50Ms);
      values.p99.push(p99Ms);
      values.rss.push(subject.system.pids.reduce((sum, pid) => sum + peakMegabytes(pid), 0));
    }
  }
  return all.flatMap(({ subject, values }) => toRows(each, subject, values));
}

const units = { cpu_per_request: "ms", rate: "1/s", p50: "ms", p99: "ms", rss: "MB" } as const;

function toRows({ name }: Case, { launch }: Subject, values: Values): Row[] {
  const metrics = Object.keys(units) as (keyof Values)[];
  return metrics.map((metric) =>
    toRow({ case: name, metric, system: launch.name, unit: units[metric] }, values[metric]),
  );
}

/** Asks once and compares with the right answer; resolves with how long that is. */
async function verify({ name, query, variables }: Case, launch: Launch, system: System): Promise<number> {
  const given = variables(`${Date.now().toString(36)}000000`);
  const answer = await fetch(`http://127.0.0.1:${system.port}${path}`, {
    method: "POST",
    headers: headersOf(launch, system),
    body: JSON.stringify({ query, variables: given }),
  });
  const text = await answer.text();
  const right: unknown = JSON.parse(compile(query, { types: monolith, sdl: null })(given));
  if (!isDeepStrictEqual(JSON.parse(text), right)) {
    throw new Error(`${launch.name} answers ${name} wrongly: ${text.slice(0, 500)}`);
  }
  return Buffer.byteLength(text);
}

type Measured = LoadResult & {
  readonly cpu: number;
  /** Requests to the subgraphs for one answer. */
  readonly sent: number;
};

async function run(
  { launch, system, bodyBytes }: Subject,
  { name }: Case,
  forMs: number,
  backend: ServerProcess,
): Promise<Measured> {
  const job: Job = {
    ...{ host: "127.0.0.1", port: system.port, path, headers: headersOf(launch, system) },
    ...{ case: name, connections, forMs, bodyBytes },
  };
  const [sentBefore, cpuBefore] = [Number(await backend.tell("requests")), cpuSeconds(system.pids)];
  const load = [join(import.meta.dirname, "gateway", "load.ts"), JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, load);
  const result = JSON.parse(stdout) as LoadResult;
  if (result.wrong > 0) throw new Error(`${launch.name}: ${result.wrong} wrong answers to ${name}`);
  const cpu = cpuSeconds(system.pids) - cpuBefore;
  const sent = (Number(await backend.tell("requests")) - sentBefore) / result.answers;
  return { ...result, cpu, sent };
}

function headersOf({ headers = credential }: Launch, { port }: System): Record<string, string> {
  return {
    host: `127.0.0.1:${port}`,
    "content-type": "application/json",
    accept: "application/json",
    ...headers,
  };
}
