import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "catalyst-cli-"));
after(() => rmSync(folder, { recursive: true }));

type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs the command line as a person would, without a terminal, in an empty folder. */
function catalyst(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const main = join(import.meta.dirname, "main.ts");
  const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder, ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function configuration(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  return path;
}

test("help and version are data, and exit with 0", async () => {
  const help = await catalyst(["--help"]);
  assert.equal(help.code, 0);
  for (const command of ["up", "status", "check", "service", "config", "explain", "logs"]) {
    assert.match(help.stdout, new RegExp(`^  ${command}\\b`, "m"));
  }
  const version = await catalyst(["version"]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal((await catalyst(["--version"])).stdout, version.stdout);
});

test("a word that is no command, or a missing one, exits with 2", async () => {
  const unknown = await catalyst(["statsu"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /unknown command 'statsu'[\s\S]*Did you mean status/);
  const below = await catalyst(["gateway", "shcema"]);
  assert.equal(below.code, 2);
  assert.match(below.stderr, /no command of gateway "shcema" \(did you mean schema\?\)/);
  const subject = await catalyst(["explain", "servce", "products"]);
  assert.match(subject.stderr, /no subject "servce" \(did you mean service\?\)/);
  assert.equal((await catalyst(["service", "add"])).code, 2);
  assert.equal((await catalyst(["status", "-o", "xml"])).code, 2);
});

test("a checkout that is not set up says how it is, and nothing else", async () => {
  const checkout = join(folder, "checkout");
  for (const part of ["bin", "src", "package.json"])
    cpSync(join(import.meta.dirname, "..", part), join(checkout, "packages/cli", part), { recursive: true });
  const bin = join(checkout, "packages/cli/bin/catalyst.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, "status"], { encoding: "utf8" });
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(
    stderr,
    /^This checkout is not set up yet: run `npm start` or `npm run setup` in it once, [^\n]+\n$/,
  );
});

test("every fault of a configuration is told at once, with exit code 2 and nothing started", async () => {
  const path = configuration("faulty.json", '{\n  "node": { "name": "N1" },\n  "mehs": {}\n}\n');
  const args = ["up", "--config", path, "--ingress", "nowhere", "--srevice", "name=a"];
  const { code, stdout, stderr } = await catalyst(args, { CATALYST_TELEMETRY_LOG_LEVEL: "loud" });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  for (const told of [
    /node\.name .*faulty\.json:2:21/,
    /mehs .*faulty\.json:3:3[\s\S]*did you mean mesh/,
    /--ingress/,
    /--srevice[\s\S]*did you mean --service/,
    /CATALYST_TELEMETRY_LOG_LEVEL/,
  ]) {
    assert.match(stderr, told);
  }
});

test("an option that is none is told with the one that was meant, also where it is not of the configuration", async () => {
  for (const [args, meant] of [
    [["service", "add", "stock", "--ulr", "http://h/"], "--url"],
    [["status", "--ouput", "json"], "--output"],
    [["up", "--confg", "x.json"], "--config"],
    [["config", "show", "--source"], "--sources"],
    [["up", "--ingres", "127.0.0.1:1"], "--ingress"],
  ] as const) {
    const { code, stderr } = await catalyst(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`did you mean ${meant}\\b`, "i"), args.join(" "));
  }
});

test("the configuration in force is printed as a file that means the same", async () => {
  const args = ["--node-name", "n7", "--service", "name=a,protocol=http,url=http://h/"];
  const shown = await catalyst(["config", "show", ...args]);
  assert.equal(shown.code, 0);
  const path = configuration("shown.json", shown.stdout);
  const again = await catalyst(["config", "show", "--config", path]);
  assert.deepEqual(JSON.parse(again.stdout), JSON.parse(shown.stdout));
  const sources = await catalyst(["config", "show", "--sources", "--config", path], {
    CATALYST_NODE_NAME: "n8",
  });
  assert.match(sources.stdout, /^node\.name +"n8" +CATALYST_NODE_NAME/m);
  assert.match(sources.stdout, /^mesh\.services\[a\]\.url +"http:\/\/h\/" +.*shown\.json:\d+:\d+/m);
});

test("the file catalyst.json in the working directory is read when no other is named", async () => {
  configuration("catalyst.json", { node: { name: "fromfile" } });
  assert.equal(JSON.parse((await catalyst(["config", "show"])).stdout).node.name, "fromfile");
  rmSync(join(folder, "catalyst.json"));
});

test("a configuration file that is not there, or is no JSON, exits with 2 and names it", async () => {
  const absent = await catalyst(["config", "validate", "--config", "absent.json"]);
  assert.equal(absent.code, 2);
  assert.match(absent.stderr, /absent\.json/);
  const broken = await catalyst([
    "config",
    "validate",
    "--config",
    configuration("broken.json", '{ "node": '),
  ]);
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /broken\.json:1/);
});

test("the JSON Schema is JSON and nothing else", async () => {
  const { code, stdout, stderr } = await catalyst(["config", "schema"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.equal(JSON.parse(stdout).$schema, "https://json-schema.org/draft/2020-12/schema");
});

test("asking a node that does not run exits with 5 and says how to start it", async () => {
  const { code, stdout, stderr } = await catalyst(["status", "--node-data-dir", join(folder, "nobody")]);
  assert.equal(code, 5);
  assert.equal(stdout, "");
  assert.match(stderr, /nobody does not answer: start the node with `catalyst up`/);
});

test("what follows a command of the gateway is that command's: its node, its format, its faults", async () => {
  const asked = await catalyst([
    "gateway",
    "schema",
    "--node-data-dir",
    join(folder, "nobody"),
    "-o",
    "json",
  ]);
  assert.equal(asked.code, 5);
  assert.match(asked.stderr, /The gateway of the node in .*nobody does not answer/);
  assert.equal((await catalyst(["gateway", "shema"])).code, 2);
  assert.equal((await catalyst(["gateway", "diff", "--with", "x", "--to", "1"])).code, 2);
  assert.match((await catalyst(["gateway", "plan", "--help"])).stdout, /^Usage: catalyst gateway plan/);
});

test("a service is checked before the node is asked", async () => {
  const { code, stderr } = await catalyst(["service", "add", "Bad_Name", "--url", "ftp://h"]);
  assert.equal(code, 2);
  assert.match(stderr, /the name "Bad_Name" is not a DNS label/);
  assert.match(stderr, /--url "ftp:\/\/h" is not an http/);
});

test("the bootstrap is data, and the command that starts Envoy with it is told beside it, or alone", async () => {
  const node = ["--node-data-dir", join(folder, "data"), "--mesh-envoy-concurrency", "2"];
  const { code, stdout, stderr } = await catalyst(["bootstrap", ...node]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).node.id, "n1.local.catalyst.internal");
  const told = /: (envoy --config-path envoy\.json .*--disable-hot-restart.* --concurrency 2)\n$/.exec(
    stderr,
  )?.[1];
  assert.ok(told, stderr);
  assert.equal((await catalyst(["bootstrap", ...node, "--command"])).stdout, `${told}\n`);
  const elsewhere = await catalyst([
    "bootstrap",
    ...node,
    "--mesh-envoy-path",
    "/opt/my envoy",
    "--command",
    "/e.json",
  ]);
  assert.match(elsewhere.stdout, /^'\/opt\/my envoy' --config-path \/e\.json /);
});
