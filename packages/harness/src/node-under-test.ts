import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Connection,
  type Contract,
  connectRpc,
  orchestratorContract,
  type ProcessName,
  type RouteTable,
  RpcError,
  type ServiceDeclarationInput,
  socketPath,
  supervisorContract,
} from "@catalyst/rpc";
import { freePorts } from "./free-ports.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const entry = join(root, "packages", "cli", "src", "main.ts");

export type NodeUnderTestOptions = {
  /** Default `n1`. */
  readonly name?: string;
  /** Default `test.catalyst.internal`. */
  readonly domain?: string;
  readonly services?: readonly ServiceDeclarationInput[];
  /** More flags for `catalyst up`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where other nodes' Envoys come; by default a port that is free. */
  readonly meshPort?: number;
  /** Where the node keeps its data; by default a new folder that is removed at the end. */
  readonly dataDir?: string;
};

/** A whole node, real processes and a real Envoy, on ports of its own. */
export class NodeUnderTest implements AsyncDisposable {
  readonly dataDir: string;
  readonly domain: string;
  readonly ports: {
    readonly ingress: number;
    readonly egress: number;
    readonly mesh: number;
    readonly telemetry: number;
  };
  readonly #temporary: boolean;
  #supervisor: ChildProcess;
  #output = "";
  readonly #options: NodeUnderTestOptions;

  private constructor(options: NodeUnderTestOptions, dataDir: string, ports: NodeUnderTest["ports"]) {
    this.#options = options;
    this.dataDir = dataDir;
    this.domain = options.domain ?? "test.catalyst.internal";
    this.#temporary = options.dataDir === undefined;
    this.ports = ports;
    this.#supervisor = this.#launch();
  }

  /** Starts a node and waits until it is ready. */
  static async start(options: NodeUnderTestOptions = {}): Promise<NodeUnderTest> {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "catalyst-node-"));
    const [ingress = 0, egress = 0, free = 0, telemetry = 0] = await freePorts(4);
    const ports = { ingress, egress, mesh: options.meshPort ?? free, telemetry };
    const node = new NodeUnderTest(options, dataDir, ports);
    try {
      await node.ready();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where clients send GraphQL. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.ports.ingress}/graphql`;
  }

  /** What the supervisor wrote to its terminal so far. */
  get output(): string {
    return this.#output;
  }

  get supervisorPid(): number {
    return this.#supervisor.pid ?? 0;
  }

  /** Starts the supervisor again after it was killed. */
  async restart(): Promise<void> {
    this.#supervisor = this.#launch();
    await this.ready();
  }

  connect<C extends Contract>(process: ProcessName, contract: C): Promise<Connection<C>> {
    return connectRpc(socketPath(this.dataDir, process), contract);
  }

  async status() {
    using supervisor = await this.connect("supervisor", supervisorContract);
    return await supervisor.call.status(undefined);
  }

  async services() {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return await orchestrator.call.listServices(undefined);
  }

  async mesh() {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return (await orchestrator.call.status(undefined)).details;
  }

  async peers() {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return await orchestrator.call.listPeers(undefined);
  }

  async routes(table: RouteTable = "best") {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return await orchestrator.call.listRoutes({ table });
  }

  async addService(service: ServiceDeclarationInput) {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return await orchestrator.call.addService({ service, waitMs: 15_000 }, { timeoutMs: 20_000 });
  }

  async removeService(name: string) {
    using orchestrator = await this.connect("orchestrator", orchestratorContract);
    return await orchestrator.call.removeService({ name });
  }

  /** The process id of a child, from the supervisor's status. */
  async pidOf(child: string): Promise<number> {
    const { details } = await this.status();
    const pid = details.children.find(({ name }) => name === child)?.pid;
    if (pid == null) throw new Error(`${child} does not run`);
    return pid;
  }

  /** Kills a child; done once the supervisor has noticed, so that `ready` waits for the child's successor. */
  async killChild(child: ProcessName): Promise<void> {
    const killed = await this.pidOf(child);
    process.kill(killed, "SIGKILL");
    await this.until(`the supervisor notices that ${child} was killed`, 10_000, async () => {
      const { details } = await this.status();
      return details.children.every(({ pid }) => pid !== killed);
    });
  }

  /** Waits until the whole node is ready: every child, and every service it was started with. */
  async ready(timeoutMs = 60_000): Promise<void> {
    await this.until("the node is ready", timeoutMs, async () => {
      if (this.#supervisor.exitCode !== null) throw new Error(`the supervisor ended:\n${this.#output}`);
      const { details } = await this.status();
      return details.children.every(({ state }) => state === "ready");
    });
  }

  /** Waits until the condition holds; an unanswered call counts as "not yet". */
  async until(what: string, timeoutMs: number, holds: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    let last: unknown;
    while (Date.now() < deadline) {
      try {
        if (await holds()) return;
      } catch (error) {
        last = error;
        if (!(error instanceof RpcError)) throw error;
      }
      await sleep(20);
    }
    throw new Error(
      `not within ${timeoutMs} ms: ${what}\n${this.#output}\n${["supervisor", "orchestrator", "gateway"].map((child) => this.log(child)).join("\n")}`,
      {
        cause: last,
      },
    );
  }

  /** The end of a child's log. */
  log(child: string): string {
    try {
      return readFileSync(join(this.dataDir, "logs", `${child}.log`), "utf8").slice(-4_000);
    } catch {
      return `(no log of ${child})`;
    }
  }

  /** Sends one GraphQL operation through Envoy. */
  async query(query: string, variables: Record<string, unknown> = {}) {
    const response = await fetch(this.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, text, body: parse(text), headers: response.headers };
  }

  /** Asks the supervisor to end, and waits for it; returns its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.#supervisor.exitCode === null && this.#supervisor.signalCode === null) {
      const ended = once(this.#supervisor, "exit");
      this.#supervisor.kill(signal);
      await ended;
    }
    return this.#supervisor.exitCode;
  }

  /** Ends all of its processes at once, as a machine does that loses its power. */
  async kill(): Promise<void> {
    const { children } = (await this.status()).details;
    const ended = once(this.#supervisor, "exit");
    for (const pid of [this.supervisorPid, ...children.map((child) => child.pid)]) {
      if (pid !== null) process.kill(pid, "SIGKILL");
    }
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.#temporary) rmSync(this.dataDir, { recursive: true, force: true });
  }

  #launch(): ChildProcess {
    const { name = "n1", services = [], flags = [], env = {} } = this.#options;
    const { ingress, egress, mesh, telemetry } = this.ports;
    const child = spawn(
      process.execPath,
      [
        ...[entry, "up", "--node-name", name, "--node-domain", this.domain, "--node-data-dir", this.dataDir],
        ...["--ingress", `127.0.0.1:${ingress}`, "--egress", `127.0.0.1:${egress}`],
        ...["--listen-mesh", `127.0.0.1:${mesh}`, "--mesh-envoy-concurrency", "1"],
        ...(flags.includes("--telemetry-listen") ? [] : ["--telemetry-listen", `127.0.0.1:${telemetry}`]),
        ...services.flatMap((service) => ["--service", JSON.stringify(service)]),
        ...flags,
      ],
      { cwd: this.dataDir, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString("utf8")).slice(-20_000);
      });
    }
    return child;
  }
}

function parse(text: string): { data?: Record<string, unknown>; errors?: GraphqlError[] } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** An error in a GraphQL answer. */
export type GraphqlError = {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
};
