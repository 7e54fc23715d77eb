import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

// The commands against an auth process of its own, as a person would type them.

const folder = mkdtempSync(join(tmpdir(), "catalyst-apikey-"));
const bin = join(import.meta.dirname, "../../bin/catalyst.js");
const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder } };
let auth: ChildProcess;

type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

function catalyst(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

before(async () => {
  const node = { domain: "acme.catalyst.internal", dataDir: join(folder, "data") };
  writeFileSync(join(folder, "catalyst.json"), JSON.stringify({ node, telemetry: { listen: "off" } }));
  auth = spawn(process.execPath, [bin, "auth"], { ...options, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  auth.stderr?.on("data", (text) => (words += text));
  for (let left = 400; !words.includes("process started"); left--) {
    assert.ok(left > 0 && auth.exitCode === null, words);
    await sleep(50);
  }
});

after(async () => {
  auth.kill("SIGTERM");
  await once(auth, "exit");
  rmSync(folder, { recursive: true });
});

test("the key alone goes to standard output, and what it is good for to where people look", async () => {
  const { code, stdout, stderr } = await catalyst(
    "apikey",
    "create",
    "--service",
    "products",
    "--name",
    "ci",
  );
  assert.equal(code, 0);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]{86}\n$/);
  assert.match(stderr, /API key ci is good for products, until .* \(30 days\)/);
  const quiet = await catalyst("apikey", "create", "--service", "a", "--service", "b", "--ttl", "12h", "-q");
  assert.equal(quiet.stderr, "");
});

test("as JSON it is one object, with the key in it", async () => {
  const { stdout } = await catalyst("apikey", "create", "--service", "*", "--name", "json", "-o", "json");
  const created = JSON.parse(stdout);
  assert.deepEqual([created.name, created.services, typeof created.key], ["json", ["*"], "string"]);
});

test("what cannot be made is refused with its exit code, before anything is made", async () => {
  const create = (...args: string[]) => catalyst("apikey", "create", ...args);
  const cases: [Result, number, RegExp][] = [
    [await create("--ttl", "1h"), 2, /required option '--service <name>'/],
    [await create("--service", "Products"), 2, /is not the name of a service/],
    [await create("--service", "a", "--ttl", "soon"), 2, /--ttl is a time such as 30d/],
    [await create("--service", "a", "--ttl", "3650d"), 4, /366 days at most/],
    [await create("--service", "a", "--name", "No"), 2, /is not a name such as ci/],
    [await create("--service", "a", "--name", "taken"), 0, /good for a/],
    [await create("--service", "a", "--name", "taken"), 2, /taken is a key that is good until/],
    [await catalyst("apikey", "revoke", "nobody"), 3, /there is no API key nobody/],
    [await catalyst("keys", "rotate", "tokens"), 5, /it may sign from/],
    [await catalyst("keys", "rotate", "all"), 2, /tokens, apikeys/],
  ];
  for (const [{ code, stderr }, expected, words] of cases) {
    assert.equal(code, expected, stderr);
    assert.match(stderr, words);
  }
});

test("a key that is revoked is listed so, and not shown by any command", async () => {
  const { stdout: key } = await catalyst("apikey", "create", "--service", "products", "--name", "old");
  const revoked = await catalyst("apikey", "revoke", "old");
  assert.match(revoked.stdout, /^API key old \([0-9a-f]{32}\) is revoked since /);
  const list = await catalyst("apikey", "list");
  assert.match(list.stdout, /^NAME +STATE +EXPIRES +SERVICES +ID\n/);
  assert.match(list.stdout, /^old +revoked +\S+Z +products +[0-9a-f]{32}$/m);
  const explained = await catalyst("explain", "apikey", "old");
  assert.match(explained.stdout, /\nrevoked\n$/);
  const keys = await catalyst("keys", "list");
  assert.match(keys.stdout, /^tokens +signing +\S+Z +- +[\w-]{43}$/m);
  const signature = key.trim().split(".")[2] ?? "";
  for (const { stdout, stderr } of [revoked, list, explained, keys, await catalyst("config", "show")])
    assert.ok(!`${stdout}${stderr}`.includes(signature));
});
