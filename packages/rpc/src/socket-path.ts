import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { ProcessName } from "./process.ts";

/**
 * Where a node keeps what it keeps, unless it is told otherwise: `catalyst/<name>` in the user's data folder (XDG Base
 * Directory Specification: `$XDG_DATA_HOME`, by default and where that is relative `~/.local/share`).
 */
export function defaultDataDir(node: string, xdgDataHome: string | undefined): string {
  const base = xdgDataHome?.startsWith("/") ? xdgDataHome : join(homedir(), ".local", "share");
  return join(base, "catalyst", node);
}

/** Longest socket path that every supported system takes (`sun_path` is 104 bytes on macOS, 108 on Linux). */
const maxSocketPathBytes = 103;

/** The longest file name that the node puts into the folder. */
const longestName = "orchestrator-xds.sock";

/**
 * The folder of a node's sockets: `<dataDir>/run`, or where that makes paths longer than a socket address
 * may be, a folder below `/tmp` named by the user and the digest of the data directory. Pure, so that every
 * process comes to the same answer.
 */
export function runFolder(dataDir: string, uid: number = process.getuid?.() ?? 0): string {
  const folder = join(resolve(dataDir), "run");
  if (Buffer.byteLength(join(folder, longestName)) <= maxSocketPathBytes) return folder;
  const digest = createHash("sha256").update(resolve(dataDir)).digest("hex").slice(0, 16);
  return join("/tmp", `catalyst-${uid}-${digest}`);
}

/** The socket that a process of the node listens on. */
export function socketPath(dataDir: string, process: ProcessName): string {
  return join(runFolder(dataDir), `${process}.sock`);
}
