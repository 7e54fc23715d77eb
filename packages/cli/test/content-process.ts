import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRpc, contentContract, RpcError, socketPath } from "@catalyst/rpc";

export type CommandResult = { readonly code: number; readonly stdout: Buffer; readonly stderr: string };

const bin = (name: string) => join(import.meta.dirname, "../bin", `${name}.js`);

/** A content process of its own, run as a person would, in a new folder that is removed at the end. */
export class ContentProcess implements AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  /** Folders that stand for devices. */
  readonly devices: readonly string[];
  #child: ChildProcess | null = null;

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "catalyst-cam-"));
    this.dataDir = join(this.folder, "data");
    this.devices = ["d1", "d2", "d3"].map((name) => join(this.folder, name));
    for (const device of this.devices) mkdirSync(device);
    const devices = this.devices.map((folder, at) => ({ name: `d${at + 1}`, folder }));
    const config = {
      node: { name: "n1", domain: "acme.catalyst.internal", dataDir: this.dataDir },
      telemetry: { listen: "off" },
      content: { devices },
    };
    writeFileSync(join(this.folder, "catalyst.json"), JSON.stringify(config));
  }

  static async start(): Promise<ContentProcess> {
    const content = new ContentProcess();
    await content.start();
    return content;
  }

  /** Starts the process, and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [bin("catalyst"), "content", "-q"], {
      cwd: this.folder,
      env: this.#environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
    });
    this.#child = child;
    const deadline = Date.now() + 30_000;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`it did not start:
${said}`);
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  /** Sends the process a signal. */
  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Runs `holo`, without a terminal, with these bytes as its standard input. */
  holo(args: readonly string[], stdin: Uint8Array = new Uint8Array()): Promise<CommandResult> {
    return this.begin(args, stdin).ended;
  }

  /** Begins to. */
  begin(args: readonly string[], stdin: Uint8Array = new Uint8Array()) {
    const options = {
      ...{ cwd: this.folder, env: this.#environment },
      encoding: "buffer" as const,
      maxBuffer: 64 * 1_024 * 1_024,
    };
    const { promise: ended, resolve } = Promise.withResolvers<CommandResult>();
    const child = execFile(process.execPath, [bin("holo"), ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? Number.NaN);
      resolve({ code, stdout, stderr: stderr.toString() });
    });
    child.stdin?.on("error", () => {}); // it may end before it has read all
    child.stdin?.end(stdin);
    return { child, ended };
  }

  /** `holo cam …`, of which success is expected. */
  async cam(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.holo(["cam", ...args]);
    if (code !== 0) throw new Error(`holo cam ${args.join(" ")}: exit code ${code}\n${stdout}\n${stderr}`);
    return stdout.toString();
  }

  /** `holo cam … -o json` */
  async camJson<Value>(...args: readonly string[]): Promise<Value> {
    return JSON.parse(await this.cam(...args, "-o", "json")) as Value;
  }

  file(name: string, bytes: Uint8Array | string): string {
    const path = join(this.folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }

  /** All files below a folder of it. */
  filesIn(folder: string): readonly string[] {
    const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #environment() {
    return { PATH: process.env["PATH"], HOME: this.folder };
  }

  async #answers(): Promise<boolean> {
    try {
      using content = await connectRpc(socketPath(this.dataDir, "content"), contentContract);
      return (await content.call.status(undefined)).state === "ready";
    } catch (error) {
      if (error instanceof RpcError) return false;
      throw error;
    }
  }
}
