// The demo of stars: two of them and the Nucleus, a gigabyte that goes straight from one to the other, and what does not go.
//
//   npm run demo:star                      ends by itself: exit code 0, or another one with the reason
//   npm run demo:star -- --megabytes 100   with a smaller file
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createPrinter } from "@catalyst/cli";

const bin = join(import.meta.dirname, "..", "..", "packages", "cli", "bin");
const { values } = parseArgs({ options: { megabytes: { type: "string", default: "1000" } } });
const megabytes = Number(values.megabytes);
const printer = createPrinter();
const { bold, dim, green } = printer.colours;

if (!Number.isInteger(megabytes) || megabytes < 1) {
  printer.fail("Usage: npm run demo:star -- [--megabytes N]");
  process.exit(2);
}

type Star = {
  readonly name: string;
  readonly folder: string;
  readonly token: string;
  port: number;
  child: ChildProcess;
};

const base = mkdtempSync(join(tmpdir(), "catalyst-star-demo-"));
const secret = randomBytes(16).toString("hex");
const stars: Star[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end(1));

try {
  await run();
  end(0);
} catch (error) {
  printer.fail(`the demo failed: ${(error as Error).message.replace(/^error /, "")}`);
  end(1);
}

async function run(): Promise<void> {
  const [one, two] = [await startStar("one"), await startStar("two")];
  await fill(join(one.folder, "data.bin"));
  say(`two stars: one at port ${one.port}, two at port ${two.port}; ${megabytes} MB at one`);

  const whole = await replicate(one, two, "data.bin", "copy.bin", ["--verify"]);
  expect(whole.code === 0, whole.stderr);
  say("straight from one to two, compared afterwards by BLAKE3", whole.stdout);

  const forged = await replicate(one, two, "data.bin", "forged.bin", [], { ORBIT_AUTH_SECRET: "guessed" });
  expect(forged.code === 4, `a forged token: exit code ${forged.code}`);
  say("a transfer token that is signed with another secret is refused", forged.stderr);

  const outside = await replicate(one, two, "../../etc/passwd", "passwd", []);
  expect(outside.code === 4, `a path outside: exit code ${outside.code}`);
  say("a path that leads out of the folder is refused", outside.stderr);

  const broken = replicate(one, two, "data.bin", "again.bin", ["--relay", "never"]);
  await partOf(two, 0.3);
  one.child.kill("SIGKILL");
  const { code, stderr } = await broken;
  expect(code !== 0, "a replication whose source was killed did not fail");
  say("the source is killed in the middle: nothing stands under the name", stderr);
  expect(!readdirSync(two.folder).includes("again.bin"), "half a file stands under its name");

  await launch(one);
  const resumed = await replicate(one, two, "data.bin", "again.bin", ["--resume", "--verify"]);
  expect(resumed.code === 0, resumed.stderr);
  say("the source is back: it goes on where it was", resumed.stdout);
}

async function startStar(name: string): Promise<Star> {
  const folder = join(base, name);
  mkdirSync(folder);
  const star: Star = { name, folder, token: randomBytes(16).toString("hex"), port: 0, child: spawn("true") };
  await launch(star);
  stars.push(star);
  return star;
}

/** Starts a star, the second time at the port that it had. */
async function launch(star: Star): Promise<void> {
  const flags = ["--bind", "127.0.0.1", "--port", String(star.port), "--allow", star.folder];
  star.child = spawn(process.execPath, [join(bin, "orbit-star.js"), ...flags], {
    env: { ...process.env, ORBIT_STAR_TOKEN: star.token, ORBIT_AUTH_SECRET: secret },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const { stderr } = star.child;
  if (stderr === null) throw new Error(`star ${star.name} has no log`);
  const lines = createInterface({ input: stderr });
  for await (const line of lines) {
    const [, port] = /listens at [\d.]+:(\d+)/.exec(line) ?? [];
    if (port === undefined) continue;
    star.port = Number(port);
    stderr.resume();
    return;
  }
  throw new Error(`star ${star.name} did not start`);
}

async function replicate(
  from: Star,
  to: Star,
  path: string,
  target: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const config = join(base, "catalyst.json");
  const named = stars.map(({ name, port, token }) => ({ name, url: `http://127.0.0.1:${port}`, token }));
  writeFileSync(config, JSON.stringify({ star: { authSecret: secret, stars: named } }), { mode: 0o600 });
  const order = ["--config", config, "--from", `${from.name}:${path}`, "--to", `${to.name}:${target}`];
  const child = spawn(process.execPath, [join(bin, "catalyst.js"), "replicate", ...order, ...flags], {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const [code] = await once(child, "close");
  return { code: code ?? 1, stdout, stderr };
}

/** Bytes that no file system takes for zeros. */
async function fill(path: string): Promise<void> {
  await using file = await open(path, "w");
  for (let at = 0; at < megabytes; at++) await file.write(randomBytes(1_000_000));
}

/** Resolves when so much of the file, as a share of it, has come to a star. */
async function partOf(star: Star, share: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const part = readdirSync(star.folder).find((name) => name.endsWith(".part"));
    const bytes =
      part === undefined ? 0 : (statSync(join(star.folder, part), { throwIfNoEntry: false })?.size ?? 0);
    if (bytes >= share * megabytes * 1_000_000) return;
    await sleep(5);
  }
  throw new Error("the second replication does not come on");
}

function say(what: string, words = ""): void {
  printer.data(`${green("✓")} ${bold(what)}`);
  for (const line of words.trim().split("\n").filter(Boolean))
    printer.data(dim(`    ${line.replace(/^error /, "")}`));
}

function expect(holds: boolean, why: string): void {
  if (!holds) throw new Error(why.trim());
}

function end(code: number): never {
  for (const { child } of stars) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true });
  process.exit(code);
}
