// node bench/gateway/backend.ts: the subgraphs in one process, each under its name as path; prints the port, and
// takes and answers lines to say how many requests there were.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { compile, type Variables } from "./answer.ts";
import { subgraphs } from "./shop.ts";

type Answer = (query: string, variables: Variables) => string;

const answers = new Map(subgraphs.map((subgraph) => [`/${subgraph.name}`, answerer(subgraph)]));
let requests = 0;

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => respond(request, response, Buffer.concat(chunks).toString()));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
for await (const _ of createInterface({ input: process.stdin })) console.log(requests);
process.exit();

function respond({ url = "" }: IncomingMessage, response: ServerResponse, body: string): void {
  requests += 1;
  const { query, variables } = JSON.parse(body) as { query: string; variables?: Variables };
  const answer = Buffer.from(answers.get(url)?.(query, variables ?? {}) ?? '{"errors":[]}');
  response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
  response.end(answer);
}

function answerer(subgraph: (typeof subgraphs)[number]): Answer {
  const compiled = new Map<string, (variables: Variables) => string>();
  return (query, variables) => {
    try {
      const write = compiled.get(query) ?? compile(query, subgraph);
      compiled.set(query, write);
      return write(variables);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return JSON.stringify({ errors: [{ message: `${subgraph.name}: ${message}` }] });
    }
  };
}
