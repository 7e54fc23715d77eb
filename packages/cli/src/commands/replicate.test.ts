import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type RunningStar, runStar } from "@catalyst/star";
import { createLogger } from "@catalyst/telemetry";
import { TestAuthority } from "../../../star/src/test-authority.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-replicate-"));
const stars: RunningStar[] = [];
const secrets = { ORBIT_AUTH_SECRET: "shared", ORBIT_STAR_TOKEN: "token" };
const at = (star: number, path: string) => `127.0.0.1:${stars[star]?.port}:${path}`;

before(async () => {
  for (const name of ["a", "b"]) {
    mkdirSync(join(folder, name));
    const logger = createLogger({ process: "star", level: "error" });
    const options = { bind: "127.0.0.1", port: 0, token: "token", authSecret: "shared", version: "test" };
    stars.push(await runStar({ ...options, allow: [join(folder, name)] }, logger));
  }
});
after(async () => {
  for (const star of stars) await star[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Runs `catalyst replicate` as a person would, without a terminal. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = secrets) {
  const program = join(import.meta.dirname, "../../bin/catalyst.js");
  const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder, ...env } };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [program, "replicate", ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("A file goes from star to star, and its length and SHA-256 are printed", async () => {
  const bytes = randomBytes(200_000);
  writeFileSync(join(folder, "a/file"), bytes);
  const { code, stdout, stderr } = await run([
    "--from",
    at(0, "file"),
    "--to",
    at(1, "file"),
    "--verify",
    "-o",
    "json",
  ]);
  assert.equal(code, 0, stderr);
  const { bytes: length, checksum, relayed } = JSON.parse(stdout);
  assert.deepEqual([length, checksum, relayed], [200_000, hash("sha256", bytes), 0]);
  assert.deepEqual(readFileSync(join(folder, "b/file")), bytes);
});

test("Stars are named in the configuration, with tokens of their own; a folder goes with all its files", async () => {
  mkdirSync(join(folder, "a/tree/deep"), { recursive: true });
  for (const path of ["one", "deep/two"]) writeFileSync(join(folder, "a/tree", path), path);
  const named = stars.map(({ port }, each) => ({
    name: `s${each}`,
    url: `http://127.0.0.1:${port}`,
    token: "token",
  }));
  const config = join(folder, "stars.json");
  writeFileSync(config, JSON.stringify({ star: { authSecret: "shared", stars: named } }));
  const { code, stdout, stderr } = await run(
    ["--from", "s0:tree", "--to", "s1:copy", "--recursive", "--verify", "--config", config],
    {},
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^2 files, 11 B, in .*; what came was compared by BLAKE3\n$/);
  assert.equal(readFileSync(join(folder, "b/copy/deep/two"), "utf8"), "deep/two");
});

test("What goes wrong is told in words, with an exit code that says of which kind it is", async () => {
  writeFileSync(join(folder, "a/file"), "x");
  const config = join(folder, "names.json");
  const named = ["one", "two"].map((name) => ({ name, url: "http://127.0.0.1:1" }));
  writeFileSync(config, JSON.stringify({ star: { authSecret: "shared", stars: named } }));
  const cases: readonly [readonly string[], Readonly<Record<string, string>>, number, RegExp][] = [
    [["--from", at(0, "none"), "--to", at(1, "x")], secrets, 3, /file or folder \(path_missing\)/],
    [["--from", at(0, "file"), "--to", at(1, "../x")], secrets, 4, /\(path_outside\)/],
    [
      ["--from", at(0, "file"), "--to", at(1, "x")],
      { ...secrets, ORBIT_STAR_TOKEN: "wrong" },
      4,
      /\(star_refused\)/,
    ],
    [
      ["--from", at(0, "file"), "--to", at(1, "x")],
      { ...secrets, ORBIT_AUTH_SECRET: "wrong" },
      4,
      /\(token_invalid\)/,
    ],
    [["--from", at(0, "file"), "--to", at(1, "x")], { ORBIT_STAR_TOKEN: "token" }, 2, /ORBIT_AUTH_SECRET/],
    [["--from", "file", "--to", at(1, "x")], secrets, 2, /no STAR:PATH/],
    [["--form", at(0, "file"), "--to", at(1, "x")], secrets, 2, /unknown option '--form'\n.*--from/],
    [["--from", at(0, "file")], secrets, 2, /--to is missing/],
    [["--from", "a:file", "--to", at(1, "x")], secrets, 2, /"a" is no star of the configuration/],
    [
      ["--from", "a:file", "--to", "one:x", "--config", config],
      {},
      2,
      /there is no star "a": there are one, two/,
    ],
    [["--from", at(0, "file"), "--to", at(1, "x"), "--preserve"], secrets, 2, /give --recursive too/],
    [
      ["--from", at(0, "file"), "--to", "127.0.0.1:1:x"],
      secrets,
      5,
      /127\.0\.0\.1:1: .*\(star_unreachable\)/,
    ],
  ];
  for (const [args, env, wanted, words] of cases) {
    const { code, stderr } = await run(args, env);
    assert.equal(code, wanted, stderr);
    assert.match(stderr, words);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test("A file that is not of the SHA-256 or the size that is given does not come to stand; one that is may come from several stars at once", async () => {
  const bytes = randomBytes(3_000_000);
  for (const name of ["a", "b"]) writeFileSync(join(folder, name, "whole"), bytes);
  const order = ["--from", at(0, "whole"), "--source", at(1, "whole"), "--to", at(1, "held")];
  const right = ["--checksum", hash("sha256", bytes).toUpperCase(), "--size", "3000000"];
  const cases: readonly [readonly string[], number, RegExp][] = [
    [[...order, ...right], 0, /^$/],
    [order, 0, /^The sources of a file are used one after the other; with --checksum all at once\.\n$/],
    [[...order, "--checksum", hash("sha256", "other")], 1, /\(content_mismatch\)/],
    [[...order, ...right.slice(0, 2), "--size", "2999999"], 1, /\(content_mismatch\)/],
    [[...order, "--checksum", "abc"], 2, /64 hexadecimal digits, not "abc"/],
    [[...order, "--size", "0"], 2, /--size is a whole number/],
    [[...order, ...right, "--recursive"], 2, /cannot be used with/],
  ];
  for (const [args, wanted, words] of cases) {
    const { code, stderr } = await run(args);
    assert.equal(code, wanted, stderr);
    assert.match(stderr, words);
    if (wanted === 0) assert.deepEqual(readFileSync(join(folder, "b/held")), bytes);
    rmSync(join(folder, "b/held"), { force: true });
  }
});

test("Stars over TLS that ask for certificates are met with those of the flags, the variables or the configuration", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const logger = createLogger({ process: "star", level: "silent" });
  const common = { bind: "127.0.0.1", port: 0, token: "token", authSecret: "shared", version: "test" };
  const [a, b] = [
    await runStar(
      { ...common, allow: [join(folder, "a")], tls: { ...(await authority.certify("a")), authoritiesFile } },
      logger,
    ),
    await runStar(
      { ...common, allow: [join(folder, "b")], tls: { ...(await authority.certify("b")), authoritiesFile } },
      logger,
    ),
  ];
  t.after(async () => {
    for (const star of [a, b]) await star[Symbol.asyncDispose]();
  });
  writeFileSync(join(folder, "a/secret"), "over TLS");
  const { certificateFile, privateKeyFile } = await authority.certify("nucleus");
  const [from, to] = [a, b].map(({ port }) => `https://127.0.0.1:${port}`);
  const order = ["--from", `${from}:secret`, "--to", `${to}:secret`];
  const flags = [
    "--tls-authorities",
    authoritiesFile,
    "--tls-certificate",
    certificateFile,
    "--tls-key",
    privateKeyFile,
  ];
  const variables = {
    ORBIT_TLS_AUTHORITIES: authoritiesFile,
    ORBIT_TLS_CERTIFICATE: certificateFile,
    ORBIT_TLS_KEY: privateKeyFile,
  };
  const config = join(folder, "tls.json");
  const stars = [from, to].map((url, each) => ({ name: `t${each}`, url, authoritiesFile }));
  writeFileSync(config, JSON.stringify({ star: { tls: { certificateFile, privateKeyFile }, stars } }));
  const cases = [
    [[...order, ...flags], secrets, 0, /^$/],
    [order, { ...secrets, ...variables }, 0, /^$/],
    [["--from", "t0:secret", "--to", "t1:secret", "--config", config], secrets, 0, /^$/],
    [order, secrets, 1, /\(certificate_untrusted\)/],
    [[...order, ...flags.slice(0, 2)], secrets, 1, /\(certificate_wanted\)/],
    [
      ["--from", `${from}:secret`, "--to", `127.0.0.1:${b.port}:secret`, ...flags],
      secrets,
      1,
      /write https:.*\(tls_wanted\)/,
    ],
    [[...order, ...flags.slice(2, 4)], secrets, 1, /\(certificate_invalid\)/],
  ] as const;
  for (const [args, env, wanted, words] of cases) {
    const { code, stderr } = await run(args, env);
    assert.equal(code, wanted, stderr);
    assert.match(stderr, words);
  }
  assert.equal(readFileSync(join(folder, "b/secret"), "utf8"), "over TLS");
});
