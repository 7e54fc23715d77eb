// Where secrets could come to light, and where processes could be reached.
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { NodeUnderTest } from "@catalyst/harness";

/** All that a node tells whoever may ask, and writes for who keeps its logs. */
export async function toldBy(node: NodeUnderTest): Promise<string[]> {
  const admin = join(node.dataDir, "run", "envoy-admin.sock");
  const pages = ["config_dump?include_eds", "stats/prometheus", "clusters", "certs", "listeners"];
  const told = await Promise.all(pages.map((page) => askSocket(admin, `/${page}`)));
  const metrics = await fetch(`http://127.0.0.1:${node.ports.telemetry}/metrics`);
  const logs = filesIn(join(node.dataDir, "logs")).map((path) => readFileSync(path, "utf8"));
  const statuses = [
    await node.mesh(),
    await node.status(),
    await node.peers(),
    await node.routes("received"),
  ];
  return [...told, await metrics.text(), ...logs, node.output, JSON.stringify(statuses)];
}

/** What is answered to a GET over a Unix socket. */
export function askSocket(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => resolve(text(response)))
      .on("error", reject)
      .end();
  });
}

/** Every file below a folder. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Two lines of each private key that a node keeps: the third one has the public key in it. */
export function privateKeysOf({ dataDir }: NodeUnderTest): string[] {
  const files = filesIn(dataDir).filter((path) => !path.includes("/logs/") && statSync(path).size < 100_000);
  const keys = files
    .map((path) => readFileSync(path, "latin1"))
    .flatMap((file) => file.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END/g) ?? []);
  return keys.flatMap((key) =>
    key
      .split("\n")
      .filter((line) => /^[A-Za-z0-9+/=]{40,}\r?$/.test(line))
      .slice(0, 2),
  );
}

/** Where the processes of a node listen on TCP or UDP, by what Linux says of their sockets. */
export async function listeningOf(node: NodeUnderTest): Promise<string[]> {
  const { children } = (await node.status()).details;
  const pids = [node.supervisorPid, ...children.flatMap(({ pid }) => pid ?? [])];
  return [...new Set(pids.flatMap(listeningAt))].sort();
}

function listeningAt(pid: number): string[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).flatMap((fd) => inodeOf(`/proc/${pid}/fd/${fd}`)));
  return ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = ""]) => (state === "0A" || state === "07") && own.has(inode))
      .map(([, local = ""]) => addressOf(local)),
  );
}

function inodeOf(path: string): string[] {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
    return inode === undefined ? [] : [inode];
  } catch {
    return []; // closed meanwhile
  }
}

function addressOf(local: string): string {
  const [host = "", port = ""] = local.split(":");
  const bytes = (host.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse();
  return `${bytes.length === 4 ? bytes.join(".") : host}:${Number.parseInt(port, 16)}`;
}

/** Sockets of a node's own that somebody but its owner could open. */
export function openSockets({ dataDir }: NodeUnderTest): string[] {
  const run = join(dataDir, "run");
  return ["", ...readdirSync(run)].filter((name) => (statSync(join(run, name)).mode & 0o077) !== 0);
}
