import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { armFailpoints } from "./failpoint.ts";
import { openJournal, readJournal } from "./journal.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-journal-"));
after(() => rmSync(root, { recursive: true }));

const newPath = () => join(mkdtempSync(join(root, "t-")), "events.journal");
const bytes = (text: string) => new TextEncoder().encode(text);
const texts = async (path: string) =>
  (await readJournal(path)).records.map((record) => new TextDecoder().decode(record));

/** Runs code with `journal` open in a process of its own. */
function runWriter(path: string, code: string, options: { failpoint?: string; shell?: string } = {}) {
  const program = `const { openJournal } = await import(${JSON.stringify(import.meta.resolve("./journal.ts"))});
    const journal = await openJournal(${JSON.stringify(path)});
    const bytes = (text) => new TextEncoder().encode(text);
    ${code}`;
  const node = [process.execPath, "--input-type=module", "-e", program] as const;
  const [command, ...args] = options.shell
    ? ["bash", "-c", `${options.shell}; exec "$@"`, "-", ...node]
    : node;
  const env = options.failpoint === undefined ? {} : { CATALYST_FAILPOINT: options.failpoint };
  return spawnSync(command as string, args, { env: { PATH: process.env["PATH"], ...env }, encoding: "utf8" });
}

test("A missing journal reads as empty", async () => {
  assert.deepEqual(await readJournal(newPath()), { records: [], droppedBytes: 0 });
});

test("Records come back in the order of the calls, across openings", async () => {
  const path = newPath();
  {
    await using journal = await openJournal(path);
    await Promise.all(["a", "", "c"].map((text) => journal.append(bytes(text))));
    assert.equal(journal.sizeBytes, statSync(path).size);
  }
  await using journal = await openJournal(path);
  await journal.append(bytes("d"));
  assert.deepEqual(await texts(path), ["a", "", "c", "d"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("Appends that wait at the same time share one sync", async () => {
  const path = newPath();
  await using journal = await openJournal(path);
  using _ = armFailpoints("journal.append.before_fsync=error@2");
  await Promise.all(Array.from({ length: 500 }, (_, index) => journal.append(bytes(String(index)))));
  assert.equal((await readJournal(path)).records.length, 500);
});

test("Whatever byte a crash cuts off at, all that was acknowledged before is read back, and nothing invented", async () => {
  const rounds = fc.array(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }), { maxLength: 6 });
  const tail = fc.oneof(fc.constant(new Uint8Array(0)), fc.constant(new Uint8Array(64)), fc.uint8Array());
  await fc.assert(
    fc.asyncProperty(rounds, fc.nat(), tail, async (batches, where, garbage) => {
      const path = newPath();
      const acknowledged: { size: number; count: number }[] = [];
      {
        await using journal = await openJournal(path);
        acknowledged.push({ size: journal.sizeBytes, count: 0 });
        for (const batch of batches) {
          await Promise.all(batch.map((record) => journal.append(record)));
          const count = (acknowledged.at(-1)?.count ?? 0) + batch.length;
          acknowledged.push({ size: journal.sizeBytes, count });
        }
      }
      const first = acknowledged[0]?.size ?? 0;
      const cut = first + (where % (statSync(path).size - first + 1));
      truncateSync(path, cut);
      writeFileSync(path, garbage, { flag: "a" });

      const all = batches.flat();
      const atLeast = Math.max(...acknowledged.filter(({ size }) => size <= cut).map(({ count }) => count));
      const { records } = await readJournal(path);
      assert.ok(records.length >= atLeast, `${records.length} of at least ${atLeast}`);
      assert.deepEqual(records.map(toHex), all.slice(0, records.length).map(toHex));

      await using journal = await openJournal(path);
      await journal.append(bytes("after"));
      const mended = await readJournal(path);
      assert.equal(mended.droppedBytes, 0);
      assert.deepEqual(mended.records.map(toHex), [...records, bytes("after")].map(toHex));
    }),
    { numRuns: 60 },
  );
});

const toHex = (record: Uint8Array) => Buffer.from(record).toString("hex");

test("Opening says how many bytes of a torn end it cut off", async () => {
  const path = newPath();
  {
    await using journal = await openJournal(path);
    await journal.append(bytes("kept"));
  }
  writeFileSync(path, "torn", { flag: "a" });
  assert.equal((await readJournal(path)).droppedBytes, 4);
  await using journal = await openJournal(path);
  assert.equal(journal.droppedBytes, 4);
  assert.equal(statSync(path).size, journal.sizeBytes);
});

test("A file that is no journal is refused and left as it is", async () => {
  const path = newPath();
  writeFileSync(path, "precious");
  await assert.rejects(openJournal(path), { name: "DurableError", code: "journal_invalid" });
  await assert.rejects(readJournal(path), { code: "journal_invalid" });
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("Compaction replaces what was appended before it and keeps what is appended after it", async () => {
  const path = newPath();
  await using journal = await openJournal(path);
  const done = [
    journal.append(bytes("old 1")),
    journal.append(bytes("old 2")),
    journal.compact([bytes("all")]),
    journal.append(bytes("new")),
  ];
  await Promise.all(done);
  await journal.append(bytes("newer"));
  assert.deepEqual(await texts(path), ["all", "new", "newer"]);
  assert.equal(journal.sizeBytes, statSync(path).size);
});

for (const step of ["journal.compact.before_replace", "replace.before_fsync", "replace.before_rename"]) {
  test(`A compaction that fails at ${step} leaves the old records and a journal that goes on`, async () => {
    const path = newPath();
    await using journal = await openJournal(path);
    await journal.append(bytes("old"));
    {
      using _ = armFailpoints(`${step}=error:ENOSPC`);
      await assert.rejects(journal.compact([bytes("all")]), { code: "disk_full" });
    }
    await journal.append(bytes("new"));
    assert.deepEqual(await texts(path), ["old", "new"]);
  });
}

test("A compaction that fails when its folder is synced loses nothing that is acknowledged later", async () => {
  const path = newPath();
  await using journal = await openJournal(path);
  await journal.append(bytes("old"));
  {
    using _ = armFailpoints("replace.before_folder_fsync=error");
    await assert.rejects(journal.compact([bytes("all")]), { code: "io_failed" });
  }
  await journal.append(bytes("new"));
  assert.equal((await texts(path)).at(-1), "new");
});

for (const step of ["before_write", "before_fsync", "after_fsync"]) {
  test(`An append that fails ${step.replace("_", " the ")} is not in the journal, which goes on`, async () => {
    const path = newPath();
    await using journal = await openJournal(path);
    await journal.append(bytes("old"));
    {
      using _ = armFailpoints(`journal.append.${step}=error:ENOSPC`);
      await assert.rejects(journal.append(bytes("refused")), { code: "disk_full" });
    }
    assert.deepEqual(await texts(path), ["old"]);
    await journal.append(bytes("new"));
    assert.deepEqual(await texts(path), ["old", "new"]);
  });
}

test("A journal whose failure could not be undone takes nothing more until it is opened again", async () => {
  const path = newPath();
  await using journal = await openJournal(path);
  await journal.append(bytes("old"));
  {
    using _ = armFailpoints("journal.append.before_fsync=error,journal.truncate.before_fsync=error");
    await assert.rejects(journal.append(bytes("refused")), { code: "io_failed" });
  }
  await assert.rejects(journal.append(bytes("x")), { code: "journal_failed" });
  await assert.rejects(journal.compact([]), { code: "journal_failed" });
  await using again = await openJournal(path);
  await again.append(bytes("new"));
  assert.deepEqual(await texts(path), ["old", "new"]);
});

test("A record past the limit is refused and the journal goes on", async () => {
  const path = newPath();
  await using journal = await openJournal(path, { maxRecordBytes: 4 });
  await assert.rejects(journal.append(bytes("12345")), { code: "record_too_large" });
  await assert.rejects(journal.compact([bytes("12345")]), { code: "record_too_large" });
  await journal.append(bytes("1234"));
  assert.deepEqual(await texts(path), ["1234"]);
});

test("Closing finishes what was asked for before and takes nothing after", async () => {
  const path = newPath();
  const journal = await openJournal(path);
  const appended = journal.append(bytes("last"));
  await journal[Symbol.asyncDispose]();
  await appended;
  await assert.rejects(journal.append(bytes("late")), { code: "journal_closed" });
  assert.deepEqual(await texts(path), ["last"]);
});

for (const step of ["before_write", "before_fsync", "after_fsync"]) {
  test(`A writer killed ${step.replace("_", " the ")} has lost nothing that it acknowledged`, async () => {
    const path = newPath();
    const code = `for (let n = 0; ; n++) { await journal.append(bytes(String(n))); process.stdout.write(n + "\\n"); }`;
    const child = runWriter(path, code, { failpoint: `journal.append.${step}=kill@20` });
    assert.equal(child.signal, "SIGKILL", child.stderr);
    const acknowledged = child.stdout.trim().split("\n");
    assert.equal(acknowledged.length, 19);
    const kept = await texts(path);
    assert.deepEqual(kept.slice(0, 19), acknowledged);
    assert.ok(kept.length <= 20);
  });
}

for (const [step, expected] of Object.entries({
  "replace.before_fsync": ["old"],
  "replace.before_rename": ["old"],
  "replace.before_folder_fsync": ["all"],
})) {
  test(`A writer killed in a compaction at ${step} leaves either all old records or all new ones`, async () => {
    const path = newPath();
    assert.equal(runWriter(path, `await journal.append(bytes("old"))`).status, 0);
    const killed = runWriter(path, `await journal.compact([bytes("all")])`, { failpoint: `${step}=kill` });
    assert.equal(killed.signal, "SIGKILL", killed.stderr);
    assert.deepEqual(await texts(path), expected);
  });
}

test("A write that the system cuts short for want of space is undone", async () => {
  const path = newPath();
  const code = `
    await journal.append(bytes("old"));
    const failure = await journal.append(new Uint8Array(100_000)).catch((error) => error);
    await journal.append(bytes("new"));
    console.log(failure.code);`;
  // A limit of 8 blocks of 1024 bytes; with the signal ignored, the write ends short and then fails.
  const child = runWriter(path, code, { shell: "trap '' XFSZ; ulimit -f 8" });
  assert.equal(child.stdout, "disk_full\n", child.stderr);
  assert.deepEqual(await texts(path), ["old", "new"]);
});

test("A copy of the file alone is a journal", async () => {
  const path = newPath();
  await using journal = await openJournal(path);
  await journal.append(bytes("record"));
  copyFileSync(path, `${path}.copy`);
  assert.deepEqual(await texts(`${path}.copy`), ["record"]);
});
