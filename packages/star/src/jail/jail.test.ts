import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { StarError, type StarErrorCode } from "../errors.ts";
import { type HardLinkPolicy, Jail } from "./jail.ts";

/** A folder with `inside/` that is allowed, and `outside/` that is not. */
async function opened(hardLinks?: HardLinkPolicy) {
  const base = mkdtempSync(join(tmpdir(), "catalyst-jail-"));
  for (const name of ["inside/deep", "outside"]) mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, "inside/deep/file"), "inside");
  writeFileSync(join(base, "outside/secret"), "secret");
  const jail = Jail.open([join(base, "inside")], hardLinks);
  return { base, jail, [Symbol.dispose]: () => rmSync(base, { recursive: true }) };
}

const refused = (jail: Jail, path: string, code: StarErrorCode) =>
  assert.throws(() => jail.openFile(path), { code }, JSON.stringify(path.slice(0, 80)));

test("A file below an allowed folder is opened by its absolute path and by a relative one", async () => {
  using of = await opened();
  for (const path of [
    `${of.base}/inside/deep/file`,
    "deep/file",
    "./deep//file",
    `${of.base}/inside/./deep/file`,
  ]) {
    using file = of.jail.openFile(path);
    assert.equal(readFileSync(file.fd, "utf8"), "inside");
  }
});

test("Paths that lead out by .. or by another root are refused, also where they would come back in", async () => {
  using of = await opened();
  for (const path of [
    "../outside/secret",
    "deep/../deep/file",
    "..",
    "/etc/passwd",
    `${of.base}/outside/secret`,
    `${of.base}/insideout`,
  ]) {
    refused(of.jail, path, "path_outside");
  }
});

test("Paths that no file can have are refused: empty, with NUL, too long", async () => {
  using of = await opened();
  for (const path of [
    "",
    "a\0b",
    "\0",
    "x".repeat(5_000),
    `deep/${"n".repeat(256)}`,
    `${"d/".repeat(2_100)}f`,
  ]) {
    refused(of.jail, path, "path_invalid");
  }
});

test("A symbolic link is followed at no depth, wherever it leads, and not in the way to a new file", async () => {
  using of = await opened();
  const inside = join(of.base, "inside");
  symlinkSync(join(of.base, "outside"), join(inside, "way"));
  symlinkSync(join(inside, "deep"), join(inside, "deep/again"));
  symlinkSync(join(of.base, "outside/secret"), join(inside, "deep/link"));
  symlinkSync("file", join(inside, "deep/near"));
  for (const path of ["way/secret", "deep/again/file", "deep/link", "deep/near"]) {
    refused(of.jail, path, "path_outside");
  }
  assert.throws(() => of.jail.holdPlace("way/new/file"), { code: "path_outside" });
  assert.throws(() => of.jail.holdFolder("way"), { code: "path_outside" });
});

test("Devices, FIFOs, sockets and folders are no files, and none is opened to find out", async (t) => {
  using of = await opened();
  assert.equal(spawnSync("mkfifo", [join(of.base, "inside/fifo")]).status, 0);
  const server = createServer().listen(join(of.base, "inside/socket"));
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  for (const path of ["fifo", "socket"]) refused(of.jail, path, "file_special");
  for (const path of ["deep", "deep/", "."]) refused(of.jail, path, "file_wanted");
  refused(Jail.open(["/dev"]), "null", "file_special");
  refused(of.jail, "deep/file/below", "folder_wanted");
  refused(of.jail, "deep/missing", "path_missing");
});

test("A file with several names is served or refused as the star was told", async () => {
  for (const [policy, isServed] of [
    ["allow", true],
    ["refuse", false],
  ] as const) {
    using of = await opened(policy);
    linkSync(join(of.base, "outside/secret"), join(of.base, "inside/linked"));
    if (isServed) of.jail.openFile("linked")[Symbol.dispose]();
    else refused(of.jail, "linked", "file_linked");
  }
});

/** "served", or the code with which `deep/file` was refused. */
function readOrCode(jail: Jail): "served" | StarErrorCode {
  try {
    using file = jail.openFile("deep/file");
    assert.equal(readFileSync(file.fd, "utf8"), "inside");
    return "served";
  } catch (error) {
    if (error instanceof StarError) return error.code;
    throw error;
  }
}

test("Whoever exchanges a folder for a symbolic link again and again never leads out", async () => {
  using of = await opened();
  const inside = join(of.base, "inside");
  symlinkSync(join(of.base, "outside"), join(inside, "link"));
  writeFileSync(join(of.base, "outside/file"), "secret");
  const exchanging = `
    const { renameSync } = require("node:fs");
    const inside = ${JSON.stringify(`${inside}/`)};
    const moves = [["deep", "aside"], ["link", "deep"], ["deep", "link"], ["aside", "deep"]];
    for (;;) for (const [from, to] of moves) renameSync(inside + from, inside + to);
  `;
  const exchanger = new Worker(exchanging, { eval: true });
  const met = new Map<string, number>();
  const deadline = performance.now() + 10_000;
  while ((met.get("served") ?? 0) < 100 || (met.get("path_outside") ?? 0) < 100) {
    assert.ok(performance.now() < deadline, JSON.stringify([...met]));
    const outcome = readOrCode(of.jail);
    met.set(outcome, (met.get(outcome) ?? 0) + 1);
  }
  await exchanger.terminate();
  // Between two of its moves nothing has the name.
  met.delete("path_missing");
  assert.deepEqual([...met.keys()].sort(), ["path_outside", "served"]);
});

test("Missing folders are made on the way to a new file, and a place stays the same when its folder is moved", async () => {
  using of = await opened();
  using place = of.jail.holdPlace("new/deeper/name");
  renameSync(join(of.base, "inside/new"), join(of.base, "inside/moved"));
  writeFileSync(`${place.folder}/${place.name}`, "here");
  assert.equal(readFileSync(join(of.base, "inside/moved/deeper/name"), "utf8"), "here");
});

test("A star does not start with a folder that is none", async () => {
  using of = await opened();
  assert.throws(() => Jail.open([join(of.base, "none")]), { code: "path_missing" });
  assert.throws(() => Jail.open([join(of.base, "outside/secret")]), { code: "folder_wanted" });
});

test("Nobody names a file on its way, nor a folder in its place: its bytes are those of one replication", async () => {
  using of = await opened();
  for (const kind of ["part", "log", "PART"]) {
    const name = `.orbit-0123456789abcdef.${kind}`;
    writeFileSync(join(of.base, "inside", name), "half of it");
    refused(of.jail, name, "path_invalid");
    for (const path of [name, `deep/${name}`, `${of.base}/inside/${name}/file`])
      assert.throws(() => of.jail.holdPlace(path), { code: "path_invalid" });
  }
  using other = of.jail.holdPlace(".orbit-notes.log");
  assert.equal(other.name, ".orbit-notes.log");
});

test("What a call names in one folder is found there as the first was, and the folder is closed with the last user", async () => {
  using of = await opened();
  const inside = join(of.base, "inside");
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  const places: Disposable[] = [];
  let now = 0;
  {
    using visit = of.jail.visit(() => now);
    for (const path of ["deep/a", "deep/b", "other/c", "deep/d"]) places.push(visit.holdPlace(path));
    renameSync(join(inside, "deep"), join(inside, "moved"));
    using late = visit.holdPlace("deep/e");
    writeFileSync(join(late.folder, late.name), "late");
    assert.equal(readFileSync(join(inside, "moved/e"), "utf8"), "late");
    using anew = of.jail.holdPlace("deep/e");
    assert.notEqual(anew.key, late.key);
    now = 1_001;
    using later = visit.holdPlace("deep/f");
    assert.equal(later.key, anew.key, "who takes a folder away is heard within a second");
    symlinkSync(join(of.base, "outside"), join(inside, "way"));
    for (const path of ["way/secret", "../outside/secret", "way/new/file"])
      assert.throws(() => visit.holdPlace(path), { code: "path_outside" }, path);
    assert.throws(() => visit.openFile("deep/none"), { code: "path_missing" });
    assert.throws(() => visit.openFile("way/secret"), { code: "path_outside" });
  }
  assert.ok(descriptors() > before);
  for (const place of places) place[Symbol.dispose]();
  assert.equal(descriptors(), before);
});
