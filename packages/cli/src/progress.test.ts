import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { recordingContext } from "../test/recording-context.ts";
import { rateOf, renderProgress, showProgress } from "./progress.ts";

const half = { label: "put film.mkv", bytes: 1_000_000_000, totalBytes: 2_000_000_000 };

test("progress tells the share, the bytes, the rate and the time that is left", () => {
  assert.equal(
    renderProgress(half, 400_000_000, 100),
    "put film.mkv  [##############..............]   50 %  1.0 GB of 2.0 GB  400 MB/s  3 s left",
  );
});

test("no line of progress is wider than the terminal, and both ends of a long name stay", () => {
  const long = { ...half, label: `put ${"folder/".repeat(40)}film.mkv` };
  for (let width = 1; width <= 200; width++) {
    assert.ok(renderProgress(long, 1_000_000, width).length <= width, `width ${width}`);
  }
  const line = renderProgress(long, 1_000_000, 100);
  assert.match(line, /^put folder.*….*film\.mkv {2}\[/);
  assert.match(line, /16 min 40 s left$/);
  assert.equal(renderProgress(half, 1, 30), "put film.mkv   50 %  1.0 GB o…");
});

test("of what has no known end the rate is told, and of what stands still no time", () => {
  const scrub = { label: "scrub", bytes: 16_000_000, totalBytes: null, counted: "3 objects" };
  assert.equal(renderProgress(scrub, 8_000_000, 80), "scrub  3 objects  16.0 MB  8.0 MB/s");
  assert.equal(renderProgress(half, 0, 50), "put film.mkv   50 %  1.0 GB of 2.0 GB  0 B/s");
  assert.equal(renderProgress({ label: "put a", bytes: 0, totalBytes: 0 }, null, 60), "put a  0 B of 0 B");
});

test("the rate is that between what was told, however seldom, and falls when nothing is told for long", () => {
  const seldom = [
    { at: 0, bytes: 0 },
    { at: 10_000, bytes: 1_000_000_000 },
  ];
  for (const now of [10_000, 20_000, 30_000]) assert.equal(rateOf(seldom, now), 100_000_000);
  assert.equal(rateOf(seldom, 40_000), 25_000_000);
  assert.equal(rateOf(seldom.slice(0, 1), 10_000), null);
  assert.equal(
    rateOf(
      [
        { at: 0, bytes: 0 },
        { at: 10, bytes: 100 },
      ],
      20,
    ),
    null,
  );
  assert.equal(
    rateOf(
      [
        { at: 0, bytes: 0 },
        { at: 10, bytes: 100 },
      ],
      1_000,
    ),
    100,
  );
});

test("a label cannot move the cursor", () => {
  assert.ok(!renderProgress({ ...half, label: "put \x1b[2J\u202e" }, null, 80).includes("\x1b"));
});

test("progress is shown on a terminal after a moment, and is gone at the end", async () => {
  const { printer } = recordingContext({}).context;
  const painted: (readonly string[])[] = [];
  const terminal = {
    ...printer,
    interactive: true,
    repaint: (lines: readonly string[]) => painted.push(lines),
  };
  let time = 0;
  {
    using progress = showProgress(terminal, () => time);
    progress.update({ ...half, bytes: 0 });
    await sleep(250);
    assert.deepEqual(painted, []);
    time = 1_000;
    progress.update({ ...half, bytes: 500_000_000 });
    await sleep(250);
    assert.match(painted[0]?.[0] ?? "", /25 % .* 500 MB\/s {2}3 s left/);
  }
  assert.deepEqual(painted.at(-1), []);
  {
    using silent = showProgress({ ...terminal, interactive: false }, () => time);
    silent.update(half);
    time = 9_000;
    await sleep(250);
  }
  assert.deepEqual(painted.at(-1), []);
});
