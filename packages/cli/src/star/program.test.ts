import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

const entry = join(import.meta.dirname, "main.ts");

/** Runs `orbit-star` with these flags and variables until it ends or has listened. */
async function run(flags: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [entry, ...flags], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: string[] = [];
  const output = createInterface({ input: child.stderr });
  const exited = once(child, "exit");
  const listening = new Promise<void>((resolve) => {
    output.on("line", (line) => {
      lines.push(line);
      if (line.includes("listens at") && !flags.includes("--metrics")) resolve();
      if (line.includes("Metrics at")) resolve();
    });
  });
  await Promise.race([exited, listening]);
  return { child, lines, exited };
}

test("What is missing or wrong is told with what to give, and nothing is served", async () => {
  const whole = ["--token", "t", "--auth-secret", "s", "--allow", "/tmp"];
  const cases: readonly [readonly string[], RegExp][] = [
    [[], /ORBIT_STAR_TOKEN/],
    [["--token", "t"], /ORBIT_AUTH_SECRET/],
    [["--token", "t", "--auth-secret", "s"], /--allow FOLDER/],
    [[...whole, "--port", "70000"], /--port is a whole number from 0 to 65535/],
    [[...whole, "--bind", "localhost"], /--bind is an IP address/],
    [[...whole, "--chunk-bytes", "4194304"], /--chunk-bytes is a whole number from 4096 to 4000000/],
    [[...whole, "--tls-key", "/none"], /both --tls-certificate and --tls-key/],
    [[...whole, "--metrics", "9465"], /--metrics is an IP address and a port/],
  ];
  for (const [flags, words] of cases) {
    const { child, lines, exited } = await run(flags);
    await exited;
    assert.equal(child.exitCode, 2, lines.join("\n"));
    assert.match(lines.join("\n"), words);
  }
  for (const [flags, env, words] of [
    [["--token", "t", "--auth-secret", "s", "--allow", "/none/such"], {}, /path_missing/],
    [[...whole, "--tls-key", "/none", "--tls-certificate", "/no"], {}, /\/no: .*\(certificate_invalid\)/],
    [whole, { ORBIT_TLS_KEY: "/none", ORBIT_TLS_CERTIFICATE: "/no" }, /\/no: .*\(certificate_invalid\)/],
    [[...whole, "--source-authorities", "/no"], {}, /\/no: .*\(certificate_invalid\)/],
    [whole, { ORBIT_SOURCE_AUTHORITIES: "/no" }, /\/no: .*\(certificate_invalid\)/],
  ] as const) {
    const { child, lines, exited } = await run(flags, env);
    await exited;
    assert.equal(child.exitCode, 1);
    assert.match(lines.join("\n"), words);
  }
});

test("A star takes its secrets from the environment, tells where it listens, serves its metrics and ends when told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-"));
  const flags = ["--port", "0", "--bind", "127.0.0.1", "--allow", folder, "--metrics", "127.0.0.1:0"];
  const secrets = { ORBIT_STAR_TOKEN: "a token", ORBIT_AUTH_SECRET: "a secret" };
  const { child, lines, exited } = await run(flags, secrets);
  try {
    const [, url = ""] = /Metrics at (\S+)/.exec(lines.join("\n")) ?? [];
    const [, port = ""] = /listens at 127\.0\.0\.1:(\d+)/.exec(lines.join("\n")) ?? [];
    for (const taken of [
      ["--port", port],
      ["--metrics", new URL(url).host],
    ]) {
      const second = await run([...flags, ...taken], secrets);
      await second.exited;
      assert.match(
        second.lines.join("\n"),
        /^error \S+ .*: something listens there already \(listen_failed\)$/,
      );
    }
    const text = await (await fetch(url)).text();
    for (const name of [
      'orbit_p2p_transfers_total{status="success"} 0',
      'orbit_p2p_transfers_total{status="failure"} 0',
      "orbit_p2p_bytes_transferred_total 0",
      'orbit_p2p_transfer_duration_seconds{quantile="0.5"}',
      'orbit_p2p_transfer_duration_seconds{quantile="0.9"}',
      'orbit_p2p_transfer_duration_seconds{quantile="0.99"}',
      "orbit_p2p_token_verification_errors_total 0",
    ]) {
      assert.ok(text.includes(name), name);
    }
  } finally {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true });
  }
  assert.equal(child.exitCode, 0, lines.join("\n"));
  assert.doesNotMatch(lines.join("\n"), /a token|a secret/);
});
