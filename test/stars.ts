// Stars as processes of their own, ours and those of the first kind in Go, and the command that has files go between them.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { StarAddress, StarPath } from "@catalyst/sdk/star";

const bin = join(import.meta.dirname, "../packages/cli/bin");

/** What the tests' stars and Nuclei share. */
export const authSecret = "what the stars of these tests share";

/** A star that runs, over a folder of its own on this machine. */
export class StarProcess implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "star-"));
  readonly token = randomBytes(16).toString("hex");
  readonly #command: readonly string[];
  #child: ChildProcess | null = null;
  #port = 0;

  private constructor(command: readonly string[]) {
    this.#command = command;
  }

  /** `orbit-star`, with what flags are given. */
  static async start(...flags: readonly string[]): Promise<StarProcess> {
    const star = new StarProcess([process.execPath, join(bin, "orbit-star.js"), ...flags]);
    await star.launch();
    return star;
  }

  /** The star of `interop/go-star`, by where it was built. */
  static async startFirst(program: string, ...flags: readonly string[]): Promise<StarProcess> {
    const star = new StarProcess([program, ...flags]);
    await star.launch();
    return star;
  }

  get address(): StarAddress {
    return { url: `http://127.0.0.1:${this.#port}`, token: this.token };
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  at(path: string): StarPath {
    return { star: this.address, path };
  }

  /** Makes a file of the star's; the path is relative to its folder. */
  put(path: string, content: Uint8Array = randomBytes(500_000)): Uint8Array {
    writeFileSync(join(this.folder, path), content);
    return content;
  }

  /** Starts it, the second time at the port that it had, with other flags where some are given. */
  async launch(...flags: readonly string[]): Promise<void> {
    const [program = "", ...before] = this.#command;
    const isFirst = program !== process.execPath;
    const where = isFirst
      ? ["--listen", `127.0.0.1:${this.#port}`]
      : ["--bind", "127.0.0.1", "--port", String(this.#port)];
    const child = spawn(program, [...before, ...where, "--allow", this.folder, ...flags], {
      env: { ...process.env, ORBIT_STAR_TOKEN: this.token, ORBIT_AUTH_SECRET: authSecret },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#port = await portOf(child);
  }

  /** Ends it at once, as by kill -9. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The port in the first line that has one; what is said afterwards is let go. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (piece: Buffer) => {
      said += piece.toString();
      const [, port] = /127\.0\.0\.1:(\d+)\D/.exec(said) ?? [];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("exit", () => reject(new Error(`the star did not start: ${said}`)));
  });
}

/** What a command came to. */
export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** `catalyst replicate`, with these stars in its configuration under the names that they are given by. */
export async function replicateByCommand(
  stars: Readonly<Record<string, StarProcess>>,
  flags: readonly string[],
): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), "replicate-"));
  try {
    const config = join(folder, "catalyst.json");
    const named = Object.entries(stars).map(([name, { address }]) => ({ name, ...address }));
    writeFileSync(config, JSON.stringify({ star: { authSecret, stars: named } }), { mode: 0o600 });
    const child = spawn(
      process.execPath,
      [join(bin, "catalyst.js"), "replicate", "--config", config, ...flags],
      { env: { ...process.env, NO_COLOR: "1", XDG_STATE_HOME: folder }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit") as Promise<[number | null]>,
    ]);
    return { code: code ?? -1, stdout, stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
