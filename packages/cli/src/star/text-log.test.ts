import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createLogger } from "@catalyst/telemetry";
import { textLog } from "./text-log.ts";

async function written(log: (logger: ReturnType<typeof createLogger>) => void): Promise<string> {
  const to = new PassThrough().setEncoding("utf8");
  log(createLogger({ process: "star", destination: textLog(to) }));
  const [text] = await once(to, "data");
  return text;
}

test("A line has the time, the level, the words, and what else is said behind them", async () => {
  const text = await written((logger) =>
    logger.info({ bytes: 7, path: "/a" }, "ReadStream complete: 7 bytes sent"),
  );
  assert.match(
    text,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}ReadStream complete: 7 bytes sent bytes=7 path=\/a\n$/,
  );
});

test("An error is told by its message, without a stack", async () => {
  const text = await written((logger) =>
    logger.warn({ err: new Error("no space is left") }, "ReplicateFile failed"),
  );
  assert.match(text, / WARN {2}ReplicateFile failed \(no space is left\)\n$/);
});

test("What callers write moves no terminal and begins no line of its own", async () => {
  const text = await written((logger) =>
    logger.info({ path: "/a\n\u001b[2Jb" }, "request for: /a\r\n\u001b]0;x\u0007b\u202e"),
  );
  assert.equal(text.split("\n").length, 2);
  assert.doesNotMatch(text.slice(0, -1), /[\p{Cc}\p{Cf}]/u);
});

test("Lines that come at once are written at once, in their order", async () => {
  const to = new PassThrough().setEncoding("utf8");
  const chunks: string[] = [];
  to.on("data", (chunk: string) => chunks.push(chunk));
  const logger = createLogger({ process: "star", destination: textLog(to) });
  for (let line = 0; line < 100; line++) logger.info(`line ${line} of π`);
  while (!chunks.join("").includes("line 99")) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(chunks.length < 5, `${chunks.length} writes`);
  const found = [...chunks.join("").matchAll(/line (\d+) of π/g)].map(([, number]) => Number(number));
  assert.deepEqual(found, [...Array(100).keys()]);
});
