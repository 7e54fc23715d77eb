// The demo: a node, two services that join it, and one query through Envoy.
//
//   npm start             stays, with a live status, until Ctrl-C
//   npm start -- --once   ends after the answer: exit code 0, or another one with the reason
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrinter, watchStatus } from "@catalyst/cli";
import { endingWithParent, lastErrorIn } from "@catalyst/node";
import { connectRpc, orchestratorContract, RpcError, socketPath, supervisorContract } from "@catalyst/rpc";
import config from "./catalyst.json" with { type: "json" };

const root = join(import.meta.dirname, "..", "..");
const dataDir = join(root, config.node.dataDir);
const usage = "Usage: npm start [-- --once]     --once ends after the answer";
const unknown = process.argv.slice(2).filter((argument) => argument !== "--once");
if (unknown.length > 0) {
  process.stderr.write(`${usage}\n`);
  process.exit(unknown.every((argument) => argument === "--help" || argument === "-h") ? 0 : 2);
}
const keepRunning = !process.argv.includes("--once");
const patienceMs = 60_000;

const query = "{ products(first: 2) { name price reviews(first: 1) { rating text } } }";

const printer = createPrinter();
const { bold, cyan, dim } = printer.colours;
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);

/** When the demo was asked to end. One key press may arrive twice, from the terminal and from npm. */
let askedAt = 0;
const repeatMs = 600;

const children = new Map<string, ChildProcess>();
/** How each process ended that should not have, and the end of what it wrote. */
const failures: string[] = [];
let exitCode = 0;
try {
  await run();
} catch (error) {
  if (!ending.signal.aborted) {
    printer.talk(`\nThe demo failed: ${(error as Error).message}`);
    exitCode = 1;
  }
} finally {
  await stopAll();
}
process.exit(failures.length > 0 ? 1 : exitCode);

async function run(): Promise<void> {
  await refuseSecond();
  start("node", "packages/cli/src/main.ts", ["up", "--quiet", "--config", "examples/demo/catalyst.json"]);
  start("products", "examples/products/main.ts", ["--data-dir", dataDir]);
  start("reviews", "examples/reviews/main.ts", ["--data-dir", dataDir]);
  const endpoint = await waitUntilReady();
  const answer = await ask(endpoint);
  show(endpoint, answer);
  if (!keepRunning) return;
  printer.talk(`\n${dim("Ctrl-C ends the demo.")}\n`);
  await watchStatus(printer, dataDir, { signal: ending.signal, notes: () => failures });
}

/** The answer of another demo's node must not be taken for that of ours. */
async function refuseSecond(): Promise<void> {
  const running = await connectRpc(socketPath(dataDir, "supervisor"), supervisorContract).catch(() => null);
  if (running === null) return;
  const { pid } = await running.call.status(undefined);
  running[Symbol.dispose]();
  throw new Error(
    `a demo runs here already, its node is process ${pid}: end it with Ctrl-C where it was started.`,
  );
}

function start(name: string, program: string, args: readonly string[]): void {
  const [command, ...all] = endingWithParent(process.execPath, [join(root, program), ...args]);
  const child = spawn(command, all, {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // out of the terminal's reach: Ctrl-C is for the demo, which ends them in order
  });
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    words = (words + chunk.toString("utf8")).slice(-4_000);
  });
  child.once("exit", (code, signal) => {
    children.delete(name);
    if (ending.signal.aborted) return;
    const last = code === null ? null : lastErrorIn(words);
    failures.push(`${name} ended (${signal ?? `exit code ${code}`})${last === null ? "" : `: ${last}`}`);
  });
  children.set(name, child);
}

/** Waits for the node and for both services to be part of the schema; returns the endpoint. */
async function waitUntilReady(): Promise<string> {
  const deadline = Date.now() + patienceMs;
  let last = "";
  while (Date.now() < deadline) {
    ending.signal.throwIfAborted();
    if (failures[0] !== undefined) throw new Error(failures[0]);
    const { state, endpoint } = await progress();
    if (state !== last) printer.talk(dim(`  ${state}`));
    last = state;
    if (endpoint !== null) return endpoint;
    await sleep(50);
  }
  throw new Error(
    `the node was not ready within ${patienceMs / 1000} s: ${last}. \`npx catalyst logs orchestrator --config examples/demo/catalyst.json\` may say why.`,
  );
}

async function progress(): Promise<{ state: string; endpoint: string | null }> {
  try {
    using supervisor = await connectRpc(socketPath(dataDir, "supervisor"), supervisorContract);
    const node = await supervisor.call.status(undefined);
    const waiting = node.details.children.filter(({ state }) => state !== "ready").map(({ name }) => name);
    if (waiting.length > 0) return { state: `waiting for ${waiting.join(", ")}`, endpoint: null };
    using orchestrator = await connectRpc(socketPath(dataDir, "orchestrator"), orchestratorContract);
    const services = await orchestrator.call.listServices(undefined);
    const serving = services.filter(({ state }) => state === "serving").map(({ service }) => service.name);
    const missing = ["products", "reviews"].filter((name) => !serving.includes(name));
    if (missing.length > 0) return { state: `waiting for ${missing.join(" and ")} to join`, endpoint: null };
    return { state: "ready", endpoint: node.details.endpoints[0]?.url ?? null };
  } catch (error) {
    if (error instanceof RpcError) return { state: "starting the node", endpoint: null };
    throw error;
  }
}

async function ask(endpoint: string): Promise<string> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  const { data, errors } = JSON.parse(text) as { data?: { products?: unknown[] }; errors?: unknown };
  if (!response.ok || errors !== undefined || data?.products?.length !== 2) {
    throw new Error(`the query was answered with ${response.status}: ${text}`);
  }
  return text;
}

function show(endpoint: string, answer: string): void {
  const say = (name: string, text: string) => printer.data(`  ${bold(name.padEnd(10))} ${text}`);
  printer.data("");
  say("query", query);
  say("answer", answer);
  say("endpoint", cyan(endpoint));
  if (!keepRunning) return;
  printer.data("");
  printer.data(`  ${dim("Ask it yourself, in another terminal:")}`);
  printer.data(`  curl -s ${endpoint} -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`);
  printer.data("");
  printer.data(`  ${dim("Browse it:")}   ${cyan(endpoint)} ${dim("in a browser is an editor for queries")}`);
  printer.data(`  ${dim("Look at it:")}  npx catalyst status --config examples/demo/catalyst.json`);
  printer.data(
    `  ${dim("Add to it:")}   npm run example:inventory    ${dim("a plain GraphQL service joins")}`,
  );
  printer.data(`  ${dim("Read on:")}     README.md, examples/README.md`);
}

/** The first request to end is followed in order. A second one is passed on, again and again, to what still runs. */
function end(): void {
  if (!ending.signal.aborted) {
    askedAt = performance.now();
    printer.talk("\nDraining: what runs is finished. Press Ctrl-C again to end at once.");
    ending.abort();
    return;
  }
  if (performance.now() - askedAt < repeatMs) return;
  const insist = () => {
    for (const child of children.values()) child.kill("SIGTERM");
  };
  insist();
  setInterval(insist, repeatMs);
}

/** The services leave first, then the node ends; whatever does not is killed. */
async function stopAll(): Promise<void> {
  ending.abort();
  await Promise.all(["products", "reviews"].map((name) => stop(name)));
  await stop("node");
}

async function stop(name: string): Promise<void> {
  const child = children.get(name);
  if (child === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(late);
}
