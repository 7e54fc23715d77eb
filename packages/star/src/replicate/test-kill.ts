import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededNumbers } from "@catalyst/durable/testing";
import { Jail } from "../jail/jail.ts";
import { BlockPool } from "./block-pool.ts";
import { Digester } from "./digester.ts";
import { Replicator } from "./replicator.ts";
import { grpcHost, TestSource } from "./test-source.ts";
import { partOf, replicateFrom } from "./test-target.ts";

const blockBytes = 32 * 1024;

/** The durable steps of a replication, and how often at most one is passed before the kill. */
const failpoints: readonly (readonly [string, number])[] = [
  ["file.create", 2],
  ["file.write", 60],
  ["file.write", 60],
  ["file.sync", 1],
  ["file.rename", 1],
  ["folder.sync", 1],
  ["file.remove", 1],
];

/**
 * One case on the real disk: a process that replicates is killed at one of its durable steps, as by kill -9. The file is what
 * it was before, or right; and who goes on afterwards is sent again at most one block of what had been written.
 */
export async function killReplication(seed: number): Promise<void> {
  const random = seededNumbers(seed);
  await using host = grpcHost();
  const folder = mkdtempSync(join(tmpdir(), "catalyst-kill-star-"));
  try {
    const bytes = Buffer.alloc(31 * blockBytes + 1 + Math.floor(random() * blockBytes), seed);
    for (let at = 0; at + 4 <= bytes.length; at += 1_000)
      bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
    const source = new TestSource(bytes);
    const address = await host.add(source);
    const before = random() < 0.5 ? Buffer.from("before") : null;
    if (before !== null) writeFileSync(join(folder, "file"), before);
    const [step, most] = failpoints[Math.floor(random() * failpoints.length)] ?? ["file.sync", 1];
    await killed(`${step}=kill@${1 + Math.floor(random() * most)}`, folder, address.url);

    const { part } = partOf("file");
    const written = existsSync(join(folder, part)) ? statSync(join(folder, part)).size : 0;
    const content = existsSync(join(folder, "file")) ? readFileSync(join(folder, "file")) : null;
    const isThere = content?.equals(bytes) === true;
    assert.ok(
      isThere || (before === null ? content === null : content?.equals(before)),
      "half a file has the name",
    );

    const asked = source.asked.length;
    const { resumed } = await replicateInto(folder, address.url);
    assert.ok(resumed >= written - blockBytes, `${resumed} of ${written} bytes were used again (${step})`);
    assert.equal(source.asked[asked]?.offset, resumed, "what was used again is not asked for");
    assert.ok(readFileSync(join(folder, "file")).equals(bytes));
    assert.deepEqual(readdirSync(folder), ["file"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function replicateInto(folder: string, url: string) {
  await using digester = new Digester(new BlockPool(blockBytes));
  await using replicator = new Replicator({ jail: Jail.open([folder]), digester });
  return await replicateFrom(replicator, [{ url, path: "file", token: "" }], { resume: true });
}

/** Replicates in a process of its own until that is killed. */
async function killed(failpoint: string, folder: string, url: string): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, folder, url], {
    env: { ...process.env, CATALYST_FAILPOINT: failpoint },
    stdio: ["ignore", "inherit", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text: Buffer) => (complaint += text.toString()));
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", `${failpoint}: ${complaint}`);
}

if (import.meta.main) {
  const [folder = "", url = ""] = process.argv.slice(2);
  await replicateInto(folder, url);
}
