import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { freePorts, httpService, NodeUnderTest } from "@catalyst/harness";
import type { RouteEventView } from "@catalyst/rpc";

const entry = join(import.meta.dirname, "..", "packages", "cli", "src", "main.ts");
const plain = "--insecure-plain-peers";
const noSecrets = { name: "no secrets", action: "reject", match: { service: "secret.*" } };
const patienceMs = 15_000;

/** A service that nobody has to reach: routes are told of it all the same. */
/** `catalyst tap routes` on a node: its events in one line each, without what differs from run to run. */
class Tap implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #wake = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) assert.fail("the tap has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(show(JSON.parse(line) as RouteEventView));
      this.#wake();
    });
  }

  /** Resolves when nothing that happens from now on is missed. */
  static async open({ dataDir }: NodeUnderTest, ...options: readonly string[]): Promise<Tap> {
    const argv = [entry, "tap", "routes", "--node-data-dir", dataDir, "-o", "json", ...options];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
    const tap = new Tap(child);
    const [words] = (await once(child.stderr, "data", { signal: AbortSignal.timeout(patienceMs) })) as [
      Buffer,
    ];
    assert.match(words.toString(), /^Looking on at the routes of n1/);
    return tap;
  }

  /** Waits until the tap has told so many events, and takes them. */
  async take(count: number): Promise<string[]> {
    const deadline = AbortSignal.timeout(patienceMs);
    while (this.#lines.length < count) {
      assert.ok(!deadline.aborted, `${count} events are not told: ${this.#lines.join("; ")}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return this.#lines.splice(0, count);
  }

  /** Resolves with the exit code of a tap that ends by itself. */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
  }
}

const label = (name: string) => name.split(".")[0];

function show(event: RouteEventView): string {
  switch (event.event) {
    case "session_up":
      return `up ${label(event.peer)}`;
    case "session_down":
      return `down ${label(event.peer)} by ${event.code}, ${event.stale} stale`;
    case "route": {
      const { change, route, accepted } = event;
      return `${change} ${label(route.service)} ${accepted ? "in" : "out"} by ${route.rule}`;
    }
    case "best":
      return `best ${label(event.service)} ${event.route === null ? "none" : label(event.route.origin)}`;
    case "lost":
      return `lost ${event.count}`;
  }
}

test("A tap tells what a peer does with its services as it happens, and what becomes of its routes when it crashes", async () => {
  const [port = 0] = await freePorts(1);
  // One that is there: peers are told of each that is not well.
  await using well = await httpService("well", (_incoming, answer) => answer.end());
  const service = (name: string) => ({ ...well.declaration, name });
  const started = await Promise.all([
    NodeUnderTest.start({
      flags: [
        "--listen-peers",
        `127.0.0.1:${port}`,
        plain,
        "--mesh-peering-import",
        JSON.stringify(noSecrets),
      ],
    }),
    NodeUnderTest.start({
      name: "n2",
      services: [service("products")],
      flags: ["--peer", JSON.stringify({ name: "n1", address: `127.0.0.1:${port}` }), plain],
    }),
  ]);
  await using n1 = started[0];
  await using n2 = started[1];
  await n1.until("n2 tells of products", patienceMs, async () => (await n1.routes()).length === 1);
  await using tap = await Tap.open(n1);
  await using stock = await Tap.open(n1, "--service", "stock", "--count", "4");
  const letIn = "in by default: own organisation";

  await n2.addService(service("stock"));
  assert.deepEqual(await tap.take(2), [`announced stock ${letIn}`, "best stock n2"]);
  await n2.addService(service("secret"));
  assert.deepEqual(await tap.take(1), ["announced secret out by no secrets"]);
  await n2.removeService("stock");
  assert.deepEqual(await tap.take(2), [`withdrawn stock ${letIn}`, "best stock none"]);
  assert.equal(await stock.ended(), 0);
  assert.equal((await stock.take(4)).length, 4);

  process.kill(await n2.pidOf("orchestrator"), "SIGKILL");
  const crash = await tap.take(3);
  assert.deepEqual(crash, [
    "down n2 by connection_lost, 2 stale",
    `stale products ${letIn}`,
    "stale secret out by no secrets",
  ]);
  const [up, ...renewed] = await tap.take(3);
  assert.equal(up, "up n2");
  assert.deepEqual(renewed.sort(), [`renewed products ${letIn}`, "renewed secret out by no secrets"]);
});
