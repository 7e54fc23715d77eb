import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { startHop } from "./edge/hop.ts";
import { type Question, type Subject, startSubject } from "./edge/subject.ts";
import { type Bench, ours, percentile, type Row, toRow } from "./report.ts";

const rounds = 12;
const requests = 1_600;
const connections = 8;
const alone = 160;

const cases: Readonly<Record<string, () => Promise<Subject>>> = {
  open: () => startSubject("off"),
  carried: () => startSubject("off", { carried: true }),
  token: () => startSubject("demanded"),
  token_10000_revoked: () => startSubject("demanded", { revoked: 10_000 }),
  open_tls: () => startSubject("off", { over: "tls" }),
  token_tls: () => startSubject("demanded", { over: "tls" }),
  token_bound: () => startSubject("demanded", { over: "bound" }),
  open_hop: () => startHop("off", "plain"),
  open_mtls: () => startHop("off", "tls"),
  token_mtls: () => startHop("demanded", "tls"),
};

/** What a case costs more than another one, round by round. */
const added: readonly (readonly [name: string, than: string])[] = [
  ["carried", "open"],
  ["token", "open"],
  ["token_tls", "open_tls"],
  ["open_mtls", "open_hop"],
  ["token_mtls", "open_mtls"],
];

type Measured = { readonly cpu: number[]; readonly p50: number[] };

/**
 * One request through a node's Envoy to a service: processor time that Envoy uses under load, and how long one takes
 * alone. With credentials demanded it is the same one again and again, as from a client that has one; in `carried` nobody
 * looks at it; in `token_bound` it is bound to the client's certificate. In `open_hop` and `…_mtls` another node has the
 * service: the processor time is that of both Envoys.
 */
export const bench: Bench = {
  name: "edge",
  targets: [{ case: "token", metric: "added_cpu_per_request", atMost: 0.006 }],
  run: async (say) => {
    await using started = new AsyncDisposableStack();
    const subjects: [string, Subject, Measured][] = [];
    for (const [name, start] of Object.entries(cases))
      subjects.push([name, started.use(await start()), { cpu: [], p50: [] }]);
    for (const [, { question }] of subjects) await load(question, requests, connections);
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const [, { question, cpuMs }, { cpu, p50 }] of subjects) {
        const before = cpuMs();
        await load(question, requests, connections);
        cpu.push((cpuMs() - before) / requests);
        p50.push(percentile(await load(question, alone, 1), 0.5));
      }
    }
    return rowsOf(new Map(subjects.map(([name, , measured]) => [name, measured])));
  },
};

function rowsOf(values: ReadonlyMap<string, Measured>): Row[] {
  const row = (name: string, metric: string, each: readonly number[]) =>
    toRow({ case: name, metric, system: ours, unit: "ms" }, each);
  return [
    ...[...values].flatMap(([name, { cpu, p50 }]) => [
      row(name, "cpu_per_request", cpu),
      row(name, "p50", p50),
    ]),
    ...added.map(([name, than]) => {
      const [more, less] = [values.get(name)?.cpu ?? [], values.get(than)?.cpu ?? []];
      return row(
        name,
        "added_cpu_per_request",
        more.map((each, round) => each - (less[round] ?? Number.NaN)),
      );
    }),
  ];
}

/** Asks `count` times over as many connections as given, one request at a time on each; returns the times in ms. */
async function load(question: Question, count: number, width: number): Promise<number[]> {
  const times: number[] = [];
  const share = count / width;
  await Promise.all(Array.from({ length: width }, () => askOnOne(question, share, times)));
  return times;
}

function askOnOne({ port, host, headers, tls }: Question, count: number, times: number[]): Promise<void> {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET / HTTP/1.1\r\n${lines.join("")}\r\n`;
  return new Promise((resolve, reject) => {
    const to = { port, host: "127.0.0.1", noDelay: true };
    const socket = tls === undefined ? connect(to) : connectTls({ ...to, ...tls, rejectUnauthorized: false });
    let left = count;
    let began = 0;
    const ask = () => {
      began = performance.now();
      socket.write(request);
    };
    socket
      .setEncoding("latin1")
      .on(tls === undefined ? "connect" : "secureConnect", ask)
      .on("error", reject);
    // An answer this short arrives in one piece.
    socket.on("data", (text: string) => {
      times.push(performance.now() - began);
      if (!text.startsWith("HTTP/1.1 200 ")) reject(new Error(`answered with ${text.slice(0, 200)}`));
      else if (--left > 0) ask();
      else socket.end(resolve);
    });
  });
}
