import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { Writable } from "node:stream";
import { test } from "node:test";
import type { LogLevel } from "./log-level.ts";
import { createLogger } from "./logger.ts";

/** A logger and the lines that it has written. */
function recordedLogger(level?: LogLevel) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = createLogger({ process: "gateway", destination, ...(level === undefined ? {} : { level }) });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

test("A line is one JSON object with the level as a word, the time in ISO 8601, and the process", () => {
  const { logger, lines, last } = recordedLogger();
  logger.info({ requestId: "r-1", service: "products" }, "serving\nnow");
  const { time, ...rest } = last();
  assert.deepEqual(rest, {
    level: "info",
    process: "gateway",
    requestId: "r-1",
    service: "products",
    msg: "serving\nnow",
  });
  assert.equal(new Date(String(time)).toISOString(), time);
  assert.equal(lines[0]?.indexOf("\n"), (lines[0]?.length ?? 0) - 1);
});

test("Less urgent lines than the level are left out", () => {
  const { logger, lines } = recordedLogger("warn");
  logger.info("not this");
  logger.warn("this");
  assert.equal(lines.length, 1);
});

test("A child adds its fields to every line", () => {
  const { logger, last } = recordedLogger();
  logger.child({ requestId: "r-2" }).error("failed");
  assert.equal(last()["requestId"], "r-2");
  assert.equal(last()["process"], "gateway");
});

test("Secrets are left out by the name of their field, at any depth, also of a child", () => {
  const { logger, lines } = recordedLogger();
  const secret = "s3cr3t";
  logger.info({ authorization: secret, headers: { Cookie: secret, "x-api-key": secret, host: "h" } }, "a");
  logger.child({ accessToken: secret, peer: { privateKey: secret } }).info("b");
  logger.error({ err: Object.assign(new Error("broken"), { request: { password: secret } }) }, "c");
  logger.info({ list: [{ clientSecret: secret }], tokens: [secret] }, "d");
  assert.equal(lines.length, 4);
  for (const line of lines) assert.ok(!line.includes(secret) && line.includes("[redacted]"), line);
  assert.ok(lines[0]?.includes('"host":"h"'));
});

test("An error is written with type, message, stack and code", () => {
  const { logger, last } = recordedLogger();
  logger.error({ err: Object.assign(new TypeError("broken"), { code: "x_failed" }) }, "failed");
  const { type, message, stack, code } = last()["err"] as Record<string, unknown>;
  assert.deepEqual([type, message, code], ["TypeError", "broken", "x_failed"]);
  assert.match(String(stack), /logger\.test/);
});

test("Values with a form of their own and deep or circular ones do no harm", () => {
  const { logger, last } = recordedLogger();
  const circular: Record<string, unknown> = { name: "c" };
  circular["self"] = circular;
  logger.info({ at: new Date(0), url: new URL("http://h/"), circular }, "odd");
  assert.equal(last()["at"], "1970-01-01T00:00:00.000Z");
  assert.equal(last()["url"], "http://h/");
});

test("By default the lines go to stderr, and none is lost when the process dies at once", () => {
  const code = `const { createLogger } = await import(${JSON.stringify(import.meta.resolve("./logger.ts"))});
    createLogger({ process: "p" }).info("last words");
    process.kill(process.pid, "SIGKILL");`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  assert.equal(child.stdout, "");
  assert.equal(JSON.parse(child.stderr).msg, "last words");
});

test("a disk that takes no more costs lines of the log, and nothing else", {
  skip: !existsSync("/dev/full"),
}, () => {
  const program = `
    const { createLogger } = await import(${JSON.stringify(new URL("./logger.ts", import.meta.url).href)});
    const logger = createLogger({ process: "test" });
    for (let line = 0; line < 20_000; line++) logger.info({ line }, "${"x".repeat(200)}");
    console.log(process.memoryUsage().rss < 300e6 ? "alive" : "bloated");`;
  const full = openSync("/dev/full", "w");
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", full],
  });
  closeSync(full);
  assert.equal(String(stdout).trim(), "alive");
  assert.equal(status, 0);
});
