import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Database, openDatabase } from "./database.ts";
import { DurableError } from "./errors.ts";
import { armFailpoints } from "./failpoint.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-database-"));
after(() => rmSync(root, { recursive: true }));

const newPath = () => join(mkdtempSync(join(root, "t-")), "state.db");
const migrations = [
  "CREATE TABLE item (name TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0)) STRICT",
];

const namesIn = (database: Database) =>
  database.prepare("SELECT name FROM item ORDER BY name", (row) => String(row["name"])).all();

/** Runs code in a process of its own, with `database` opened and `insert` prepared. */
function runElsewhere(path: string, code: string, failpoint?: string) {
  const program = `const { openDatabase } = await import(${JSON.stringify(import.meta.resolve("./database.ts"))});
    const database = openDatabase(${JSON.stringify(path)}, { migrations: ${JSON.stringify(migrations)} });
    const insert = database.prepare("INSERT INTO item VALUES (?, ?)");
    ${code}`;
  const env = failpoint === undefined ? {} : { CATALYST_FAILPOINT: failpoint };
  return spawnSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" });
}

test("A new database has the schema, for its owner alone, and keeps what was put in", () => {
  const path = newPath();
  {
    using database = openDatabase(path, { migrations });
    assert.equal(database.prepare("INSERT INTO item VALUES (?, ?)").run("a", 1), 1);
    const named = database.prepare("INSERT INTO item VALUES (:name, :size)");
    assert.equal(named.run({ name: "b", size: 2n }), 1);
    assert.deepEqual(namesIn(database), ["a", "b"]);
    for (const name of readdirSync(join(path, ".."))) {
      assert.equal(statSync(join(path, "..", name)).mode & 0o077, 0, name);
    }
  }
  using database = openDatabase(path, { migrations });
  const sizeOf = database.prepare("SELECT size FROM item WHERE name = ?");
  assert.equal(sizeOf.get("b")?.["size"], 2);
  assert.equal(sizeOf.get("c"), undefined);
});

test("The settings that durability rests on are in force", () => {
  const pragma = (database: Database, name: string) =>
    Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const path = newPath();
  {
    using database = openDatabase(path, { migrations });
    assert.equal(pragma(database, "journal_mode"), "wal");
    assert.equal(pragma(database, "synchronous"), 2);
    assert.equal(pragma(database, "foreign_keys"), 1);
    assert.equal(pragma(database, "locking_mode"), "exclusive");
  }
  using database = openDatabase(path, { migrations, synchronous: "normal" });
  assert.equal(pragma(database, "synchronous"), 1);
});

test("Only the steps that a file has not seen are carried out", () => {
  const path = newPath();
  openDatabase(path, { migrations })[Symbol.dispose]();
  const later = [
    ...migrations,
    "INSERT INTO item VALUES ('added', 1)",
    "ALTER TABLE item ADD COLUMN note TEXT",
  ];
  openDatabase(path, { migrations: later })[Symbol.dispose]();
  using database = openDatabase(path, { migrations: later });
  assert.deepEqual(
    { ...database.prepare("SELECT * FROM item").get() },
    { name: "added", size: 1, note: null },
  );
});

test("A file that a later release wrote is refused", () => {
  const path = newPath();
  openDatabase(path, { migrations: [...migrations, "CREATE TABLE more (x) "] })[Symbol.dispose]();
  assert.throws(() => openDatabase(path, { migrations }), { name: "DurableError", code: "database_newer" });
});

test("A step that fails leaves the file as it was before, and usable by the release before", () => {
  const path = newPath();
  openDatabase(path, { migrations })[Symbol.dispose]();
  const bad = [...migrations, "CREATE TABLE half (x); INSERT INTO item VALUES ('x', -1)"];
  assert.throws(() => openDatabase(path, { migrations: bad }), {
    code: "migration_failed",
    message: /step 2/,
  });
  using database = openDatabase(path, { migrations });
  assert.deepEqual(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").all(), []);
});

test("A second process is refused and told who owns the file", () => {
  const path = newPath();
  using database = openDatabase(path, { migrations });
  const child = runElsewhere(path, `console.log("opened")`);
  assert.equal(child.stdout, "");
  assert.match(child.stderr, /database_in_use/);
  if (process.platform === "linux")
    assert.match(child.stderr, new RegExp(`belongs to process ${process.pid}`));
  assert.deepEqual(namesIn(database), []);
});

test("A second opening in the same process is refused, and the first goes on owning the file", () => {
  const path = newPath();
  using database = openDatabase(path, { migrations });
  assert.throws(
    () => openDatabase(path, { migrations }),
    (error) => {
      assert.ok(error instanceof DurableError && error.code === "database_in_use");
      if (process.platform === "linux") assert.equal(error.evidence.ownerPid, process.pid);
      return true;
    },
  );
  assert.match(runElsewhere(path, "").stderr, /database_in_use/);
  assert.deepEqual(namesIn(database), []);
});

test("A closed database can be opened by another process", () => {
  const path = newPath();
  openDatabase(path, { migrations })[Symbol.dispose]();
  assert.equal(runElsewhere(path, `insert.run("theirs", 1)`).status, 0);
  using database = openDatabase(path, { migrations });
  assert.deepEqual(namesIn(database), ["theirs"]);
});

test("A file that is no database is refused and left as it is", () => {
  const path = newPath();
  writeFileSync(path, "precious ".repeat(100));
  assert.throws(() => openDatabase(path, { migrations }), { code: "database_corrupt" });
  assert.equal(statSync(path).size, 900);
});

test("A transaction is kept as a whole or not at all", () => {
  using database = openDatabase(newPath(), { migrations });
  const insert = database.prepare("INSERT INTO item VALUES (?, 0)");
  assert.equal(
    database.transaction(() => insert.run("a") + insert.run("b")),
    2,
  );
  const mine = new Error("mine");
  const failing = () =>
    database.transaction(() => {
      insert.run("c");
      throw mine;
    });
  assert.throws(failing, (error) => error === mine);
  assert.deepEqual(namesIn(database), ["a", "b"]);
});

test("Transactions do not nest and their body is synchronous", () => {
  using database = openDatabase(newPath(), { migrations });
  const insert = database.prepare("INSERT INTO item VALUES ('a', 0)");
  assert.throws(() => database.transaction(() => database.transaction(() => 1)), {
    code: "transaction_misused",
  });
  const late = () => database.transaction(async () => insert.run());
  assert.throws(late, { code: "transaction_misused" });
  assert.deepEqual(namesIn(database), []);
});

test("Errors of SQLite carry a code of this package and its reason", () => {
  using database = openDatabase(newPath(), { migrations });
  const insert = database.prepare("INSERT INTO item VALUES (?, ?)");
  assert.throws(() => insert.run("a", -1), {
    name: "DurableError",
    code: "constraint_violated",
    message: /CHECK/,
  });
  assert.throws(() => insert.run("a"), { code: "constraint_violated", message: /NOT NULL/ });
  assert.throws(() => database.prepare("SELEKT"), { code: "database_failed", message: /syntax/ });
  const big = database.prepare("SELECT 9007199254740993 AS n");
  assert.throws(() => big.get(), { code: "database_failed" });
});

test("A closed database refuses further work with a code", () => {
  const database = openDatabase(newPath(), { migrations });
  const all = database.prepare("SELECT * FROM item");
  database[Symbol.dispose]();
  database[Symbol.dispose]();
  assert.throws(() => all.all(), { code: "database_failed" });
  assert.throws(() => database.prepare("SELECT 1"), { code: "database_failed" });
});

test("A transaction that fails at its commit leaves nothing, and the next one works", () => {
  using database = openDatabase(newPath(), { migrations });
  const insert = database.prepare("INSERT INTO item VALUES (?, 0)");
  {
    using _ = armFailpoints("database.commit.before=error:ENOSPC");
    assert.throws(() => database.transaction(() => insert.run("a")), { code: "disk_full" });
  }
  database.transaction(() => insert.run("b"));
  assert.deepEqual(namesIn(database), ["b"]);
});

for (const [step, lost] of Object.entries({ before: true, after: false })) {
  test(`A process killed ${step} a commit has ${lost ? "none" : "all"} of the transaction`, () => {
    const path = newPath();
    const code = `for (let n = 1; ; n++) database.transaction(() => {
      insert.run("a" + n, 1); insert.run("b" + n, 1);
    });`;
    // The first pass is the schema itself.
    const child = runElsewhere(path, code, `database.commit.${step}=kill@4`);
    assert.equal(child.signal, "SIGKILL", child.stderr);
    using database = openDatabase(path, { migrations });
    assert.deepEqual(
      namesIn(database),
      lost ? ["a1", "a2", "b1", "b2"] : ["a1", "a2", "a3", "b1", "b2", "b3"],
    );
  });
}
