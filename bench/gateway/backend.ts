// node bench/gateway/backend.ts: the subgraphs in one process, each under its name as path; prints the port, and
// answers lines: `requests` with how many there were, `swap` when the schema of products has another field than before.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { compile, type Variables } from "./answer.ts";
import { type Subgraph, subgraphs } from "./shop.ts";

type Body = { readonly query: string; readonly variables?: Variables };
type Answer = (variables: Variables, root?: string) => string;

const eventEveryMs = 1_000;
let requests = 0;
let swaps = 0;
let answerers = makeAnswerers();

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => respond(request, response, JSON.parse(Buffer.concat(chunks).toString())));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "swap") {
    swaps += 1;
    answerers = makeAnswerers();
  }
  console.log(line === "swap" ? swaps : requests);
}
process.exit();

function respond({ url = "", headers }: IncomingMessage, response: ServerResponse, body: Body): void {
  requests += 1;
  const answer = answerers.get(url)?.(body.query) ?? (() => '{"errors":[{"message":"no such service"}]}');
  if (headers.accept?.includes("text/event-stream")) sendEvents(response, answer, body);
  else send(response, Buffer.from(answer(body.variables ?? {})));
}

function send(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": bytes.length,
    "x-region": "north",
  });
  response.end(bytes);
}

/** One event at once, and one every second from then on. */
function sendEvents(response: ServerResponse, answer: Answer, { variables = {} }: Body): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let count = 0;
  const sendNext = () => response.write(`event: next\ndata: ${answer(variables, String(count++))}\n\n`);
  const timer = setInterval(sendNext, eventEveryMs);
  response.on("close", () => clearInterval(timer));
  sendNext();
}

function makeAnswerers(): ReadonlyMap<string, (query: string) => Answer> {
  return new Map(subgraphs.map((subgraph) => [`/${subgraph.name}`, answererOf(subgraph)]));
}

/** Remembers what it compiled, also what it could not. */
function answererOf({ types, sdl }: Subgraph): (query: string) => Answer {
  const compiled = new Map<string, Answer>();
  const source = { types, sdl: sdl.replace("price: Float!", `price: Float! swap${swaps % 2}: Int`) };
  return (query) => {
    const answer = compiled.get(query) ?? compileOrExplain(query, source);
    compiled.set(query, answer);
    return answer;
  };
}

function compileOrExplain(query: string, subgraph: Pick<Subgraph, "sdl" | "types">): Answer {
  try {
    return compile(query, subgraph);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return () => JSON.stringify({ errors: [{ message }] });
  }
}
