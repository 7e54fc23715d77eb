import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { toPem } from "@catalyst/identity";
import { selfSigned, type TestIdentity, type TestOrganisation } from "@catalyst/identity/testing";
import { connectRpc, orchestratorContract, socketPath } from "@catalyst/rpc";

const folder = mkdtempSync(join(tmpdir(), "catalyst-orchestrator-"));
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;

/** The orchestrator of a node, in a process of its own, with a certificate that a test made. Nothing else of the node runs. */
export class TestOrchestrator {
  readonly name: string;
  readonly dataDir: string;
  readonly #config: string;
  #child: ChildProcess | null = null;

  private constructor(name: string, dataDir: string, config: object) {
    this.name = name;
    this.dataDir = dataDir;
    this.#config = JSON.stringify(config);
  }

  /** One that signs for itself, or is of an organisation. It takes sessions at an address of loopback. */
  static async of(
    node: string,
    domain: string,
    { organisation, mesh = {} }: { organisation?: TestOrganisation; mesh?: object } = {},
  ): Promise<TestOrchestrator> {
    const dataDir = join(folder, `${made++}-${node}`);
    const id = { domain, node, process: "orchestrator" };
    const identity: TestIdentity =
      organisation === undefined ? await selfSigned(id) : await organisation.issue(node, "orchestrator");
    const file = (name: string, text: string) => {
      const path = `${dataDir}.${name}.pem`;
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const certificates = [
      {
        process: "orchestrator",
        certificateFile: file("cert", identity.cert),
        privateKeyFile: file("key", identity.key),
      },
    ];
    const roots =
      organisation === undefined
        ? []
        : [{ domain, file: file("root", toPem("CERTIFICATE", organisation.root.certificate)) }];
    return new TestOrchestrator(`${node}.${domain}`, dataDir, {
      node: { name: node, domain, dataDir },
      mesh: { listen: { peers: await freeAddress() }, peering: { session: fast }, ...mesh },
      auth: { identity: { certificates, roots } },
      telemetry: { listen: "off" },
    });
  }

  /** Starts it, or starts it anew; resolves when it answers. */
  async start(failpoint = ""): Promise<this> {
    const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
    const program = `
      const { loadConfig } = await import("@catalyst/config");
      const { nodeConfig } = await import(${source("../options.ts")});
      const { runOrchestrator } = await import(${source("../orchestrator/orchestrator.ts")});
      const loaded = loadConfig(nodeConfig, { file: { path: "c.json", text: ${JSON.stringify(this.#config)} } });
      if (!loaded.ok) throw new Error(JSON.stringify(loaded));
      await runOrchestrator(loaded.value, ${JSON.stringify(this.dataDir)});
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: import.meta.dirname,
      env: { ...process.env, CATALYST_FAILPOINT: failpoint },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    let words = "";
    child.stderr?.on("data", (part) => {
      words += part;
    });
    for (let left = 600; !words.includes("process started"); left--) {
      assert.ok(left > 0 && child.exitCode === null, words);
      await sleep(50);
    }
    return this;
  }

  connect() {
    return connectRpc(socketPath(this.dataDir, "orchestrator"), orchestratorContract);
  }

  /** Resolves when it has ended, with the signal that ended it. */
  async ended(): Promise<NodeJS.Signals | null> {
    const child = this.#child;
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.signalCode;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#child?.kill(signal);
    await this.ended();
  }
}

/** Who waits for a session in a test waits for as little as can be. */
const fast = { minBackoffMs: 20, maxBackoffMs: 100, handshakeMs: 5_000 };

/** An address of loopback where nobody listens now. */
export async function freeAddress(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}
