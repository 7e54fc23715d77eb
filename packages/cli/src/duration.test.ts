import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration, parseMoment } from "./duration.ts";
import { CommandError, exitCode } from "./exit-code.ts";

const usage = (error: unknown) => error instanceof CommandError && error.code === exitCode.usage;

test("times are told in the two largest units that say something", () => {
  for (const [ms, text] of [
    [0, "0 s"],
    [59_400, "59 s"],
    [59_600, "1 min 0 s"],
    [250_000, "4 min 10 s"],
    [11_100_000, "3 h 5 min"],
    [86_400_000 * 12, "12 days"],
  ] as const) {
    assert.equal(formatDuration(ms), text);
  }
});

test("times are read in days, hours, minutes and seconds, and nothing else", () => {
  assert.deepEqual(
    ["30d", "12h", "45m", "90s", "1.5h"].map((text) => parseDuration("--ttl", text)),
    [2_592_000_000, 43_200_000, 2_700_000, 90_000, 5_400_000],
  );
  for (const text of ["", "30", "d", "-1h", "1w", "1h30m", "999999999999999d"]) {
    assert.throws(() => parseDuration("--ttl", text), usage, text);
  }
});

test("a moment is given as a time, or as how long ago it was", () => {
  assert.equal(parseMoment("--since", "2027-01-15T08:00:00Z"), Date.UTC(2027, 0, 15, 8));
  const before = Date.now() - 43_200_000;
  const found = parseMoment("--since", "12h");
  assert.ok(found >= before && found <= before + 5_000);
  assert.throws(() => parseMoment("--since", "yesterday"), usage);
});
