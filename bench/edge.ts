import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Question, type Subject, startSubject } from "./edge/subject.ts";
import { type Bench, ours, percentile, type Row, toRow } from "./report.ts";

const rounds = 5;
const requests = 10_000;
const connections = 8;
const alone = 2_000;

const cases: Readonly<Record<string, () => Promise<Subject>>> = {
  open: () => startSubject("off"),
  token: () => startSubject("demanded"),
  token_10000_revoked: () => startSubject("demanded", { revoked: 10_000 }),
  open_tls: () => startSubject("off", { over: "tls" }),
  token_tls: () => startSubject("demanded", { over: "tls" }),
  token_bound: () => startSubject("demanded", { over: "bound" }),
};

/**
 * One request through a node's Envoy to a service: processor time that Envoy uses under load, and how long one takes
 * alone. With credentials demanded it is the same one again and again, as from a client that has one; in `token_bound` it is
 * bound to the client's certificate.
 */
export const bench: Bench = {
  name: "edge",
  targets: [],
  run: async (say) => {
    const values = new Map(
      Object.keys(cases).map((name) => [name, { cpu: [] as number[], p50: [] as number[] }]),
    );
    await using started = new AsyncDisposableStack();
    const subjects: [string, Subject][] = [];
    for (const [name, start] of Object.entries(cases)) subjects.push([name, started.use(await start())]);
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const [name, { question, cpuMs }] of subjects) {
        await load(question, requests / 10, connections);
        const before = cpuMs();
        await load(question, requests, connections);
        values.get(name)?.cpu.push((cpuMs() - before) / requests);
        values.get(name)?.p50.push(percentile(await load(question, alone, 1), 0.5));
      }
    }
    return [...values].flatMap(([name, { cpu, p50 }]): Row[] => [
      toRow({ case: name, metric: "cpu_per_request", system: ours, unit: "ms" }, cpu),
      toRow({ case: name, metric: "p50", system: ours, unit: "ms" }, p50),
    ]);
  },
};

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
