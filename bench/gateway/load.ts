// node bench/gateway/load.ts JOB: puts a load on a gateway from a process of its own, and prints what came of it.
import { once } from "node:events";
import { connect } from "node:net";
import { percentile } from "../report.ts";
import { AnswerLength } from "./answer-length.ts";
import { cases } from "./cases.ts";

/** As many clients as connections, each of which asks again as soon as it is answered. */
export type Job = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly case: string;
  readonly connections: number;
  readonly forMs: number;
  /** Bytes of the body of a right answer. */
  readonly bodyBytes: number;
};

export type LoadResult = {
  readonly answers: number;
  /** Answers that were not 200, or not as long as a right one, or did not come. */
  readonly wrong: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

const job = JSON.parse(process.argv[2] ?? "") as Job;
const { query, variables } = cases.find(({ name }) => name === job.case) ?? {
  query: "",
  variables: () => ({}),
};
const started = Date.now().toString(36);
const latenciesMs: number[] = [];
let [asked, wrong] = [0, 0];

const begin = performance.now();
await Promise.all(Array.from({ length: job.connections }, askInTurn));
const seconds = (performance.now() - begin) / 1000;
const [p50Ms, p99Ms] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)];
console.log(
  JSON.stringify({ answers: latenciesMs.length, wrong, seconds, p50Ms, p99Ms } satisfies LoadResult),
);

async function askInTurn(): Promise<void> {
  const socket = connect({ host: job.host, port: job.port, noDelay: true });
  await once(socket, "connect");
  let sentAt = 0;
  let done = false;
  const ask = () => {
    sentAt = performance.now();
    done = sentAt - begin >= job.forMs;
    if (done) socket.end();
    else socket.write(request());
  };
  const answers = new AnswerLength((status, bodyBytes) => {
    latenciesMs.push(performance.now() - sentAt);
    if (status !== 200 || bodyBytes !== job.bodyBytes) wrong += 1;
    ask();
  });
  socket.on("data", (bytes: Buffer) => answers.read(bytes));
  ask();
  await once(socket, "close");
  if (!done) wrong += 1;
}

/** The salts are all of one length, and so are the answers. */
function request(): string {
  const salt = `${started}${(asked++).toString(36).padStart(6, "0")}`;
  const body = JSON.stringify({ query, variables: variables(salt) });
  const lines = Object.entries({ ...job.headers, "content-length": body.length });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `POST ${job.path} HTTP/1.1\r\n${head}\r\n${body}`;
}
