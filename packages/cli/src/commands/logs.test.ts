import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { recordingContext } from "../../test/recording-context.ts";
import { showLogs } from "./logs.ts";

const dataDir = mkdtempSync(join(tmpdir(), "catalyst-logs-"));
after(() => rmSync(dataDir, { recursive: true }));

test("where there are no logs yet the folder is named", async () => {
  const { context } = recordingContext({}, { dataDir });
  await assert.rejects(showLogs(context, "gateway", {}), {
    code: 3,
    message: `There is no log of "gateway": there are no logs in ${join(dataDir, "logs")} yet.`,
  });
});

test("the end of a log is printed in whole lines; an unknown process is told which there are", async () => {
  const { context, printed } = recordingContext({}, { dataDir });
  mkdirSync(join(dataDir, "logs"));
  const lines = Array.from({ length: 1_000 }, (_, at) =>
    JSON.stringify({ msg: `line ${at}`, rest: "x".repeat(50) }),
  );
  writeFileSync(join(dataDir, "logs", "gateway.log"), `${lines.join("\n")}\n`);
  writeFileSync(join(dataDir, "logs", "envoy.log"), "one\n");
  writeFileSync(join(dataDir, "logs", "envoy.log.1"), "older\n");
  await showLogs(context, "gateway", {});
  assert.ok(printed.length > 100 && printed.length < 400, `${printed.length} lines`);
  assert.deepEqual(printed, lines.slice(-printed.length));
  printed.length = 0;
  await showLogs(context, "envoy", {});
  assert.deepEqual(printed, ["one"]);
  await assert.rejects(showLogs(context, undefined, {}), {
    code: 2,
    message: "Name a process: there are envoy, gateway.",
  });
});
