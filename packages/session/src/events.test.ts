import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { watchSessions } from "./events.ts";

test("what happens to sessions is in the log, and counted", async () => {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const metrics = createMetrics();
  const logger = createLogger({ process: "orchestrator", level: "debug", destination });
  const events = watchSessions({ logger, metrics });
  const reason = { code: "hold_expired", text: "nothing came for 15000 ms", by: "us" } as const;
  const end = { peer: "b.acme.catalyst.internal", purpose: "control", remote: "10.0.0.2:7400", reason };
  events.ended({ ...end, established: true });
  events.ended({ ...end, established: false });
  events.skewed("b.acme.catalyst.internal", 7_000);
  events.turnedAway("10.0.0.9");
  assert.deepEqual(
    lines.map(({ level, msg }) => `${level} ${msg}`),
    [
      "warn session ended",
      "info no session came about",
      "warn the peer's clock and ours differ",
      "debug connection turned away",
    ],
  );
  assert.equal(lines[0]?.["text"], reason.text);
  const text = await metrics.text();
  assert.match(text, /catalyst_session_ended_total\{code="hold_expired"\} 2/);
  assert.match(text, /catalyst_session_turned_away_total 1/);
});
