import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { claimFolder, readOwner } from "./claim.ts";
import { thisProcess } from "./process-identity.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-claim-"));
after(() => rmSync(root, { recursive: true }));

const folder = () => mkdtempSync(join(root, "t-"));
const role = "supervisor";

/** A process that claims the folder and then waits; resolves with what it was told. */
async function claimElsewhere(dir: string): Promise<{ child: ChildProcess; kind: string }> {
  const program = `const { claimFolder } = await import(${JSON.stringify(import.meta.resolve("./claim.ts"))});
    const outcome = claimFolder(${JSON.stringify(dir)}, { role: "supervisor" });
    process.stdout.write(outcome.kind);
    setInterval(() => outcome, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [kind] = await once(child.stdout, "data");
  return { child, kind: String(kind) };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("A free folder is claimed, and free again when the claim is disposed", () => {
  const dir = folder();
  assert.equal(readOwner(dir, { role }), null);
  const first = claimFolder(dir, { role });
  assert.ok(first.kind === "claimed");
  assert.equal(readOwner(dir, { role })?.pid, process.pid);
  first.claim[Symbol.dispose]();
  assert.equal(readOwner(dir, { role }), null);
  const second = claimFolder(dir, { role });
  assert.ok(second.kind === "claimed");
  first.claim[Symbol.dispose](); // once more: takes nothing from the second
  assert.equal(readOwner(dir, { role })?.pid, process.pid);
  second.claim[Symbol.dispose]();
});

test("A folder that a live process holds is taken, and its owner is named", async () => {
  const dir = folder();
  const other = await claimElsewhere(dir);
  try {
    const outcome = claimFolder(dir, { role });
    assert.ok(outcome.kind === "taken");
    assert.equal(outcome.ownerPid, other.child.pid);
    assert.match(outcome.since ?? "", /^\d{4}-\d\d-\d\dT/);
    assert.equal(claimFolder(dir, { role: "content" }).kind, "claimed");
  } finally {
    await kill(other.child);
  }
});

test("A folder is held once even within a process", () => {
  const dir = folder();
  const first = claimFolder(dir, { role });
  assert.ok(first.kind === "claimed");
  assert.deepEqual(claimFolder(dir, { role }).kind, "taken");
  first.claim[Symbol.dispose]();
});

test("What a killed process held is taken over at once", async () => {
  const dir = folder();
  const other = await claimElsewhere(dir);
  await kill(other.child);
  assert.ok(readdirSync(dir).includes("supervisor.pid"));
  assert.equal(readOwner(dir, { role }), null);
  const outcome = claimFolder(dir, { role });
  assert.ok(outcome.kind === "claimed");
  outcome.claim[Symbol.dispose]();
});

test("Of several that claim a killed process's folder at the same time, one gets it", async () => {
  const dir = folder();
  await kill((await claimElsewhere(dir)).child);
  const rivals = await Promise.all(Array.from({ length: 4 }, () => claimElsewhere(dir)));
  try {
    assert.deepEqual(rivals.map(({ kind }) => kind).sort(), ["claimed", "taken", "taken", "taken"]);
  } finally {
    await Promise.all(rivals.map(({ child }) => kill(child)));
  }
});

test("A record of another process with the same id, or of nobody, names no owner", () => {
  const dir = folder();
  const records = [
    JSON.stringify({ pid: process.pid, start: "1", since: "2026-01-01T00:00:00Z" }),
    JSON.stringify({ pid: -1, start: null, since: "2026-01-01T00:00:00Z" }),
    "4711\n",
    "",
  ];
  for (const record of thisProcess.start === null ? records.slice(1) : records) {
    writeFileSync(join(dir, "supervisor.pid"), record);
    assert.equal(readOwner(dir, { role }), null, record);
  }
});

test("A folder that does not exist is named", () => {
  assert.throws(() => claimFolder(join(folder(), "missing"), { role }), { code: "io_failed" });
});
