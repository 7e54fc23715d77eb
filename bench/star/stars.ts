import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cpuSeconds } from "../gateway/process-under-test.ts";
import { type Cost, peakMegabytes } from "../report.ts";
import { runCommand } from "./command.ts";

const cli = join(import.meta.dirname, "../../packages/cli");
export const secret = "a secret that stars share";

/** A star in a process of its own. */
export type Star = AsyncDisposable & {
  readonly url: string;
  /** CPU so far, in s. */
  readonly cpu: () => number;
  /** The most memory that it ever had, in MB. */
  readonly rss: () => number;
};

/** Certificate and key of an address that vouches for itself, by their files. */
export type Certificate = { readonly certificate: string; readonly key: string };

/** Null where there is no openssl. */
export function certify(folder: string): Certificate | null {
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=star -addext subjectAltName=IP:127.0.0.1";
  const made = spawnSync("openssl", [...words.split(" "), "-keyout", key, "-out", certificate]);
  return made.status === 0 ? { certificate, key } : null;
}

/** Starts `orbit-star` with its defaults; nobody reads its log. */
export async function startStar(folder: string, tls: Certificate | null = null): Promise<Star> {
  const secure =
    tls === null
      ? []
      : ["--tls-certificate", tls.certificate, "--tls-key", tls.key, "--source-authorities", tls.certificate];
  const args = ["--bind", "127.0.0.1", "--port", "0", "--allow", folder, ...secure];
  const child = spawn(process.execPath, [join(cli, "src/star/main.ts"), ...args], {
    env: { ...process.env, ORBIT_STAR_TOKEN: "star", ORBIT_AUTH_SECRET: secret, NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const { pid = 0, stderr } = child;
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", () => reject(new Error("a star ended before it listened")));
    createInterface({ input: stderr }).on("line", (line) => {
      const [, listens] = /listens at 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
      if (listens !== undefined) resolve(Number(listens));
    });
  });
  return {
    url: `${tls === null ? "http" : "https"}://127.0.0.1:${port}`,
    cpu: () => cpuSeconds([pid]),
    rss: () => peakMegabytes(pid),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Has `catalyst replicate` carry a folder; the cost is the command's own. */
export function replicateByCommand(
  from: Star,
  source: string,
  to: Star,
  target: string,
): Promise<Omit<Cost, "bytes">> {
  const at = (star: Star, path: string) => `${new URL(star.url).host}:${path}`;
  const args = ["replicate", "--recursive", "--from", at(from, source), "--to", at(to, target)];
  return runCommand(
    [process.execPath, join(cli, "src/main.ts"), ...args, "--manifest", `${target}.manifest`],
    { ORBIT_STAR_TOKEN: "star", ORBIT_AUTH_SECRET: secret, NODE_NO_WARNINGS: "1" },
  );
}
