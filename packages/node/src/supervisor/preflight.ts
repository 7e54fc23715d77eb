import { execFile } from "node:child_process";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { parseAddress } from "@catalyst/config";
import { parseEnvoyVersion } from "@catalyst/envoy";
import type { CheckResult } from "@catalyst/rpc";
import { NodeError } from "../errors.ts";
import { checked } from "../process.ts";

const run = promisify(execFile);

/** The checkout, or the folder that the packages were installed to. */
const projectRoot = join(import.meta.dirname, "..", "..", "..", "..");

/** Where an Envoy may come from, in the order in which it is looked for. */
export type EnvoySources = {
  /** Named by configuration. */
  readonly configured: string | undefined;
  /** Named by the variable `CATALYST_ENVOY`. */
  readonly variable: string | undefined;
  /** The search path of programs, `PATH`. */
  readonly path: string;
};

/**
 * Finds Envoy: the configured one, else that of `CATALYST_ENVOY`, else the one that the set-up brought, else
 * the first on PATH. Throws {@link NodeError} `envoy_missing`.
 */
export function findEnvoy(sources: EnvoySources, pinnedVersion: string): string {
  for (const [named, by] of [
    [sources.configured, "mesh.envoy.path"],
    [sources.variable, "CATALYST_ENVOY"],
  ] as const) {
    if (named === undefined) continue;
    if (executable(named)) return named;
    throw new NodeError("envoy_missing", `${by} names ${named}, which is no program: correct or unset it`);
  }
  const brought = join(projectRoot, ".tools", `envoy-${pinnedVersion}`, "envoy");
  const candidates = [brought, ...sources.path.split(delimiter).map((folder) => join(folder, "envoy"))];
  const found = candidates.find(executable);
  if (found !== undefined) return found;
  throw new NodeError(
    "envoy_missing",
    `Envoy ${pinnedVersion} was not found: run \`npm run setup\` in the checkout, put envoy on PATH, or name it with --mesh-envoy-path`,
  );
}

/** Asks a program for its version, and so finds out whether it is an Envoy that runs on this machine. */
export async function envoyVersion(path: string): Promise<string> {
  const unusable = (why: string, cause?: unknown) =>
    new NodeError("envoy_unusable", `${path} is not an Envoy that runs here: ${why}`, { cause });
  let printed: string;
  try {
    printed = (await run(path, ["--version"], { timeout: 10_000 })).stdout;
  } catch (error) {
    throw unusable((error as Error).message.split("\n")[0] ?? "it fails", error);
  }
  const version = parseEnvoyVersion(printed);
  if (version === null) throw unusable(`it printed ${JSON.stringify(printed.slice(0, 200))}`);
  return version;
}

/**
 * Tries every address that the node will listen on, so that a port in use is named before anything starts.
 * Throws {@link NodeError} `port_in_use` that names all that are taken, each with its option.
 */
export async function checkAddresses(addresses: Readonly<Record<string, string>>): Promise<void> {
  const problems: string[] = [];
  for (const [option, text] of Object.entries(addresses)) {
    const problem = await tryListen(text);
    if (problem !== null) problems.push(`${text} ${problem}: free it, or choose another with --${option}`);
  }
  if (problems.length > 0) throw new NodeError("port_in_use", problems.join("\n"));
}

/** That what an option names can be read, a file or a folder. Throws {@link NodeError} `file_unreadable`. */
export function checkReadable(option: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    accessSync(path, statSync(path).isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "is not there" : code === "EACCES" ? "may not be read" : `cannot be read (${code})`;
    throw new NodeError(
      "file_unreadable",
      `${option} names ${resolve(path)}, which ${why}: correct or unset it`,
      {
        cause: error,
      },
    );
  }
}

/** Where Linux says how it shares links, and how it could. */
const congestion = {
  available: "/proc/sys/net/ipv4/tcp_available_congestion_control",
  current: "/proc/sys/net/ipv4/tcp_congestion_control",
} as const;

/** What `check` says of this machine: nothing of what cannot be told here. */
export function hostChecks(read: (path: string) => string = readText): CheckResult[] {
  let texts: Congestion;
  try {
    texts = { available: read(congestion.available), current: read(congestion.current) };
  } catch {
    return []; // another system than Linux, or one that hides it
  }
  return [
    checked("host.bbr", "the system sends by BBR, which a lossy link hardly slows down", bbrFault(texts)),
  ];
}

/** What the two files of {@link hostChecks} hold. */
export type Congestion = { readonly available: string; readonly current: string };

/** What there is to do where the system does not send by BBR; null where it does. It works without, only slower. */
export function bbrFault({ available, current }: Congestion) {
  const [using] = current.trim().split(/\s+/);
  if (using === "bbr") return null;
  const set = "`sysctl -w net.core.default_qdisc=fq net.ipv4.tcp_congestion_control=bbr`";
  const isThere = available.trim().split(/\s+/).includes("bbr");
  const [why, first] = isThere ? ["", ""] : [", and has not loaded BBR", "`modprobe tcp_bbr`, then "];
  return {
    outcome: "warning" as const,
    detail: `the system sends by ${using || "a way that it does not name"}${why}`,
    hint: `as root: ${first}${set}; the same in /etc/sysctl.d to keep it`,
  };
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}

function tryListen(text: string): Promise<string | null> {
  const { host, port } = parseAddress(text);
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(describe(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function describe(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "is in use";
  if (error.code === "EACCES") return "needs more rights than this user has";
  if (error.code === "EADDRNOTAVAIL") return "is not an address of this machine";
  return `cannot be listened on (${error.message})`;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile(); // a folder can be entered, which counts as executable too
  } catch {
    return false;
  }
}
