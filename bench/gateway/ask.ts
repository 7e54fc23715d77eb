import { execFile } from "node:child_process";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { compile } from "./answer.ts";
import type { Case } from "./cases.ts";
import type { Job, LoadResult } from "./load.ts";
import { monolith } from "./shop.ts";

/** A gateway as its clients know it. */
export type Endpoint = {
  readonly name: string;
  readonly port: number;
  /** What a client sends besides what GraphQL needs. */
  readonly headers: Readonly<Record<string, string>>;
};

/** What clients send to be sent on to services: a credential of the size of ours, a trace, and what a rule takes. */
export const clientHeaders: Endpoint["headers"] = {
  authorization: `Bearer ${"x".repeat(640)}`,
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "x-tenant-id": "acme",
};

export const path = "/graphql";

/** Asks once; resolves with how long a right answer is, and throws for a wrong one. */
export async function verify(endpoint: Endpoint, { name, query, variables }: Case): Promise<number> {
  const given = variables(`${Date.now().toString(36)}000000`);
  const answer = await fetch(`http://127.0.0.1:${endpoint.port}${path}`, {
    method: "POST",
    headers: headersTo(endpoint),
    body: JSON.stringify({ query, variables: given }),
  });
  const text = await answer.text();
  const right: unknown = JSON.parse(compile(query, { types: monolith, sdl: null })(given));
  if (!isDeepStrictEqual(JSON.parse(text), right)) {
    throw new Error(`${endpoint.name} answers ${name} wrongly: ${text.slice(0, 500)}`);
  }
  return Buffer.byteLength(text);
}

/** Puts a load on it from a process of its own. */
export async function putLoad(
  endpoint: Endpoint,
  { name }: Case,
  load: Pick<Job, "connections" | "forMs" | "bodyBytes">,
): Promise<LoadResult> {
  const to = { host: "127.0.0.1", port: endpoint.port, path, headers: headersTo(endpoint) };
  const job: Job = { ...to, case: name, ...load };
  const child = [join(import.meta.dirname, "load.ts"), JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, child);
  return JSON.parse(stdout) as LoadResult;
}

function headersTo({ port, headers }: Endpoint): Record<string, string> {
  return {
    host: `127.0.0.1:${port}`,
    "content-type": "application/json",
    accept: "application/json",
    ...headers,
  };
}
