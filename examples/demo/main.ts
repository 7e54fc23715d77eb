// The demo: two nodes of one organisation with a service at each, and one query, with a token, through the first.
//
//   npm start             stays, with a live status, until Ctrl-C
//   npm start -- --once   ends after the answer: exit code 0, or another one with the reason
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrinter, watchStatus } from "@catalyst/cli";
import { endingWithParent, lastErrorIn } from "@catalyst/node";
import {
  authContract,
  type Client,
  connectRpc,
  gatewayContract,
  RpcError,
  socketPath,
  supervisorContract,
} from "@catalyst/rpc";
import n1 from "./catalyst.json" with { type: "json" };
import n2 from "./n2.json" with { type: "json" };

const root = join(import.meta.dirname, "..", "..");
const dataDir = join(root, n1.node.dataDir);
const configFile = "examples/demo/catalyst.json";
/** The default of `mesh.listen.ingress`. */
const ingress = "127.0.0.1:10000";
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

/** How a process that still starts answers, or does not. */
const notYet: ReadonlySet<string> = new Set([
  "unreachable",
  "disconnected",
  "timeout",
  "authority_not_served",
]);

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
  startNode("n1", configFile);
  start("products", "examples/products/main.ts", ["--data-dir", dataDir]);
  const { token: joinToken } = await until(() => given(letIn));
  startNode("n2", "examples/demo/n2.json", joinToken);
  start("reviews", "examples/reviews/main.ts", ["--data-dir", join(root, n2.node.dataDir)]);
  const endpoint = await until(served);
  const order = { subject: "demo", services: ["products", "reviews"] };
  const { token } = await until(() => given((auth) => auth.createToken(order)));
  const answer = await ask(endpoint, token);
  show(endpoint, answer);
  if (!keepRunning) return;
  printer.talk(`\n${dim("Ctrl-C ends the demo.")}\n`);
  await watchStatus(printer, dataDir, { signal: ending.signal, notes: () => failures });
}

/** What is waited for, or what is missing until then. */
type Attempt<Result> = { readonly result: Result } | { readonly missing: string };

/** Tries until there is a result; says meanwhile what is missing. */
async function until<Result>(attempt: () => Promise<Attempt<Result>>): Promise<Result> {
  const deadline = Date.now() + patienceMs;
  let last = "";
  while (Date.now() < deadline) {
    ending.signal.throwIfAborted();
    if (failures[0] !== undefined) throw new Error(failures[0]);
    const outcome = await attempt();
    if ("result" in outcome) return outcome.result;
    if (outcome.missing !== last) printer.talk(dim(`  ${outcome.missing}`));
    last = outcome.missing;
    await sleep(50);
  }
  throw new Error(
    `the nodes were not ready within ${patienceMs / 1000} s: ${last}. \`npx catalyst logs orchestrator --config ${configFile}\` may say why.`,
  );
}

/** The second node joins each time anew: what it had from the last time may have expired. */
async function letIn(auth: Client<typeof authContract>): Promise<{ token: string }> {
  const { name: node } = n2.node;
  try {
    return await auth.createJoinToken({ node });
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== "node_name_taken") throw error;
    await auth.revokeNode({ node });
    return await auth.createJoinToken({ node });
  }
}

/** What the first node's auth process gives: it is the root authority of the organisation. */
async function given<Result>(
  ask: (auth: Client<typeof authContract>) => Promise<Result>,
): Promise<Attempt<Result>> {
  return await answered("starting the first node", async () => {
    using auth = await connectRpc(socketPath(dataDir, "auth"), authContract);
    return { result: await ask(auth.call) };
  });
}

/** The endpoint of the first node, once both nodes are ready and both services are in its schema. */
async function served(): Promise<Attempt<string>> {
  return await answered("starting the nodes", async () => {
    for (const { node } of [n1, n2]) {
      using supervisor = await connectRpc(
        socketPath(join(root, node.dataDir), "supervisor"),
        supervisorContract,
      );
      const { details } = await supervisor.call.status(undefined);
      const waiting = details.children.filter(({ state }) => state !== "ready").map(({ name }) => name);
      if (waiting.length > 0) return { missing: `waiting for ${waiting.join(", ")} of ${node.name}` };
    }
    using gateway = await connectRpc(socketPath(dataDir, "gateway"), gatewayContract);
    const { services } = await gateway.call.report(undefined);
    const serving = services.filter(({ state }) => state === "serving").map(({ name }) => name);
    const missing = ["products", "reviews"].filter((name) => !serving.includes(name));
    if (missing.length > 0) return { missing: `waiting for ${missing.join(" and ")} to join` };
    return { result: `http://${ingress}/graphql` };
  });
}

/** A process that does not answer yet is missing too. */
async function answered<Result>(
  missing: string,
  attempt: () => Promise<Attempt<Result>>,
): Promise<Attempt<Result>> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof RpcError && notYet.has(error.code)) return { missing };
    throw error;
  }
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

/** With a token the machine joins as the node that it names, each time anew: its certificate may have expired. */
function startNode(name: string, config: string, joinToken?: string): void {
  const join = joinToken === undefined ? [] : ["--join", "-"];
  start(name, "packages/cli/src/main.ts", ["up", "--quiet", "--config", config, ...join], joinToken);
}

/** Starts a program, with what it reads from standard input. */
function start(name: string, program: string, args: readonly string[], input = ""): void {
  const [command, ...all] = endingWithParent(process.execPath, [join(root, program), ...args]);
  const child = spawn(command, all, {
    cwd: root,
    stdio: ["pipe", "ignore", "pipe"],
    detached: true, // out of the terminal's reach: Ctrl-C is for the demo, which ends them in order
  });
  child.stdin?.on("error", () => undefined).end(input);
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

async function ask(endpoint: string, token: string): Promise<string> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
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
  printer.data(
    `  TOKEN=$(npx catalyst token create --sub you --service '*' --ttl 1h --config ${configFile})`,
  );
  printer.data(
    `  curl -s ${endpoint} -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`,
  );
  printer.data("");
  printer.data(`  ${dim("Browse it:")}   ${cyan(endpoint)} ${dim("in a browser is an editor for queries")}`);
  printer.data(`  ${dim("Look at it:")}  npx catalyst status --config ${configFile}`);
  printer.data(`  ${dim("Its peer:")}    npx catalyst peer list --config ${configFile}`);
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

/** The services leave first, then the nodes end; whatever does not is killed. */
async function stopAll(): Promise<void> {
  ending.abort();
  await Promise.all(["products", "reviews"].map((name) => stop(name)));
  await stop("n2");
  await stop("n1");
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
