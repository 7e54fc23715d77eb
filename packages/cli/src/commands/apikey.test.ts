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
    [await create("--ttl", "1h"), 2, /--service is missing: write --service NAME/],
    [
      await create("--service", "Products"),
      2,
      /^error --service "Products" is not the name of a service: write /,
    ],
    [await create("--service", "a", "--service", "a"), 2, /--service names a service twice: leave one out/],
    [await create("--servce", "a"), 2, /unknown option '--servce'[\s\S]*Did you mean --service\?/],
    [await create("--service", "a", "--ttl", "0s"), 2, /--ttl 0s is shorter than a second/],
    [await create("--service", "a", "--name", "a".repeat(64)), 2, /--name "a{64}" is not a name such as ci/],
    [await create("--service", "a", "--ttl", "soon"), 2, /--ttl is a time such as 30d/],
    [await create("--service", "a", "--ttl", "3650d"), 4, /366 days at most/],
    [await create("--service", "a", "--name", "No"), 2, /--name "No" is not a name such as ci/],
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

test("what is given in place of a key is told apart: no key, none that is known, good, and for other services", async () => {
  const { stdout } = await catalyst(
    "apikey",
    "create",
    "--service",
    "products",
    "--ttl",
    "1h",
    "--name",
    "told",
  );
  const key = stdout.trim();
  const [head = "", payload = "", signature = ""] = key.split(".");
  const flipped = signature.startsWith("A") ? "B" : "A";
  const refused: [string, RegExp][] = [
    [key.slice(0, 20), /it has 1 of three parts with dots between: it was cut off/],
    [key.slice(0, -6), /its last 6 characters are missing: it was cut off/],
    [`${key}AA`, /it has 2 characters too many at its end/],
    [`${key}\n`, /a space or the end of a line before or behind it/],
    [`"${key}"`, /a quotation mark before or behind it/],
    [key.replace(".", "!."), /its character \d+ is "!", which no key has/],
    [`${head}.${payload}.${flipped}${signature.slice(1)}`, /its signature is not that of what it says/],
    [`${head}.${payload.slice(0, -1)}.${signature}`, /it was changed, or|its second part was changed/],
    [`A${key.slice(1)}`, /it was changed, or is something else/],
  ];
  for (const [given, why] of refused) {
    const { code, stderr, stdout: printed } = await catalyst("explain", "apikey", given);
    assert.equal(code, 2, given);
    assert.match(stderr, /^error this is no API key of this node: /);
    assert.match(stderr, why);
    assert.ok(!`${printed}${stderr}`.includes(payload));
  }
  const unknown = await catalyst("explain", "apikey", "nobody");
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /there is no API key nobody: `catalyst apikey list` shows/);
  assert.match(
    (await catalyst("explain", "apikey", key)).stdout,
    /^is the API key told good\?[\s\S]*\ngood\n$/,
  );
  const covered = await catalyst("explain", "apikey", "told", "--service", "products");
  assert.match(covered.stdout, /it covers products: yes\ngood\n$/);
  const other = await catalyst("explain", "apikey", key, "--service", "reviews");
  assert.match(other.stdout, /it covers reviews: no\ngood, and does not cover reviews\n$/);
  assert.equal((await catalyst("explain", "service", "told", "--service", "reviews")).code, 2);
});

test("a key that is at hand is revoked by itself, and told to be", async () => {
  const { stdout } = await catalyst("apikey", "create", "--service", "products", "--name", "leaked");
  const revoked = await catalyst("apikey", "revoke", stdout.trim());
  assert.match(revoked.stdout, /^API key leaked \([0-9a-f]{32}\) is revoked since /);
  assert.match((await catalyst("explain", "apikey", stdout.trim())).stdout, /\nrevoked\n$/);
  assert.match((await catalyst("apikey", "revoke", "Nobody")).stderr, /there is no API key Nobody/);
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
