import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeUnderTest } from "@catalyst/harness";
import { ours } from "../report.ts";
import { type ServerProcess, startServer } from "./process-under-test.ts";
import type { Setup } from "./server.ts";
import { subgraphs } from "./shop.ts";

/** A gateway that runs, and the processes whose CPU and memory are counted as its own, with all that they started. */
export type System = AsyncDisposable & {
  readonly port: number;
  readonly pids: readonly number[];
};

/** A gateway that can be measured here. */
export type Launch = {
  readonly name: string;
  /** Headers that a client sends besides; by default those that are sent on to the services. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Starts it over the subgraphs that listen on a port. */
  readonly start: (subgraphsPort: number) => Promise<System>;
};

/** One rule for each direction: the headers are those that a client and a subgraph send. */
const headerRules = { request: [{ prefix: "x-tenant-" }], response: [{ name: "x-region" }] };

const peer = join(import.meta.dirname, "../peers/hive-gateway");
export const peerName = "@graphql-hive/gateway";

/** Ours alone, ours behind Envoy, and the reference where it can be installed. */
export function findSystems(say: (text: string) => void): Launch[] {
  const found: Launch[] = [
    { name: ours, start: (port) => startOurs(port) },
    { name: `${ours}+envoy`, start: startNode },
  ];
  if (!existsSync(join(peer, "node_modules"))) {
    say(`${peerName} is installed into ${peer}`);
    const install = ["ci", "--ignore-scripts", "--no-workspaces", "--loglevel=error"];
    const { status, error, stderr } = spawnSync("npm", install, { cwd: peer, encoding: "utf8" });
    if (status !== 0) {
      rmSync(join(peer, "node_modules"), { recursive: true, force: true });
      say(`${peerName} is skipped: ${error?.message ?? stderr.trim()}`);
      return found;
    }
  }
  return [...found, { name: peerName, start: startPeer }];
}

/** Ours with one thing after the other switched off, or bounded as little as can be: what each costs. */
export function findFeatures(): Launch[] {
  const without = (
    feature: string,
    setup: Omit<Setup, "egressPort">,
    headers?: Launch["headers"],
  ): Launch => ({
    name: `${ours}-without-${feature}`,
    ...(headers === undefined ? {} : { headers }),
    start: (port) => startOurs(port, setup),
  });
  return [
    { name: ours, start: (port) => startOurs(port) },
    without("log", { logLevel: "error" }),
    without("metrics", { metrics: false }),
    without("header-rules", { options: {} }),
    without("client-headers", {}, {}),
    without("dedupe", { options: { headers: headerRules, upstream: { dedupe: false } } }),
    without("breaker", { options: { headers: headerRules, upstream: { breaker: { enabled: false } } } }),
    without("retries", { options: { headers: headerRules, upstream: { retries: 0 } } }),
    without(
      "everything",
      {
        logLevel: "error",
        metrics: false,
        options: { upstream: { dedupe: false, breaker: { enabled: false }, retries: 0 } },
      },
      {},
    ),
  ];
}

/** Our gateway by itself, its log in a file as in a node. */
export async function startOurs(
  egressPort: number,
  setup: Omit<Setup, "egressPort"> = {},
  nodeFlags: readonly string[] = [],
): Promise<System & Pick<ServerProcess, "tell">> {
  await using started = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "bench-gateway-"));
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "gateway.log");
  const log = openSync(file, "w", 0o600);
  started.defer(() => closeSync(log));
  const given: Setup = { egressPort, options: { headers: headerRules }, ...setup };
  const args = [JSON.stringify(given)];
  const program = join(import.meta.dirname, "server.ts");
  const server = await startServer(program, args, { log, nodeFlags }).catch((cause: unknown) => {
    throw new Error(`our gateway did not start:\n${readFileSync(file, "utf8")}`, { cause });
  });
  started.use(server);
  return owned({ port: server.port, pids: [server.pid], tell: server.tell }, started.move());
}

/** A whole node: what a client asks passes Envoy, the gateway, and Envoy again on the way to each service. */
async function startNode(subgraphsPort: number): Promise<System> {
  await using started = new AsyncDisposableStack();
  const services = subgraphs.map(({ name }) => {
    const url = `http://127.0.0.1:${subgraphsPort}/${name}`;
    return { name, protocol: "graphql" as const, url };
  });
  const folder = mkdtempSync(join(tmpdir(), "bench-gateway-"));
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "node.json");
  writeFileSync(config, JSON.stringify({ mesh: { services, graphql: { headers: headerRules } } }));
  const node = started.use(await NodeUnderTest.start({ flags: ["--config", config] }));
  const pids = await Promise.all(["gateway", "envoy"].map((child) => node.pidOf(child)));
  return owned({ port: node.ports.ingress, pids }, started.move());
}

async function startPeer(subgraphsPort: number): Promise<System> {
  await using started = new AsyncDisposableStack();
  const given = subgraphs.map(({ name, sdl }) => ({
    name,
    sdl,
    url: `http://127.0.0.1:${subgraphsPort}/${name}`,
  }));
  const server = started.use(await startServer(join(peer, "server.mjs"), [JSON.stringify(given)]));
  return owned({ port: server.port, pids: [server.pid] }, started.move());
}

function owned<T extends object>(what: T, by: AsyncDisposableStack): T & AsyncDisposable {
  return { ...what, [Symbol.asyncDispose]: () => by.disposeAsync() };
}
