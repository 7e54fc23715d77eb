import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSecondsWithEnded } from "../gateway/process-under-test.ts";
import { type Cost, peakMegabytes } from "../report.ts";
import { runCommand } from "./command.ts";

/** A daemon that serves a folder over TCP on loopback. */
export type Rsync = AsyncDisposable & {
  /** Copies what has a name in the folder into another one, whole and synced; the cost is of both ends. */
  readonly copy: (name: string, target: string) => Promise<Omit<Cost, "bytes">>;
};

/** Null where there is no rsync. */
export async function startRsync(source: string, scratch: string): Promise<Rsync | null> {
  if (spawnSync("rsync", ["--version"]).status !== 0) return null;
  const port = await freePort();
  const config = join(scratch, "rsyncd.conf");
  writeFileSync(
    config,
    `address = 127.0.0.1
port = ${port}
use chroot = no
uid = ${process.getuid?.() ?? 0}
gid = ${process.getgid?.() ?? 0}
[source]
path = ${source}
`,
  );
  const daemon = spawn("rsync", ["--daemon", "--no-detach", `--config=${config}`], { stdio: "ignore" });
  const { pid = 0 } = daemon;
  while (!(await isListening(port))) await sleep(50);
  return {
    copy: async (name, target) => {
      const before = cpuSecondsWithEnded(pid);
      const from = `rsync://127.0.0.1:${port}/source/${name}`;
      const cost = await runCommand(["rsync", "-r", "--whole-file", "--fsync", from, target]);
      await sleep(100); // The daemon's child ends after the client.
      return {
        ...cost,
        cpuSeconds: cost.cpuSeconds + cpuSecondsWithEnded(pid) - before,
        rssMegabytes: Math.max(cost.rssMegabytes, peakMegabytes(pid)),
      };
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(daemon, "exit");
      daemon.kill("SIGTERM");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
