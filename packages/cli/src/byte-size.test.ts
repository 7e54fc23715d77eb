import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, parseByteRate, parseBytes } from "./byte-size.ts";
import { CommandError, exitCode } from "./exit-code.ts";

const usage = (error: unknown) => error instanceof CommandError && error.code === exitCode.usage;

test("sizes are told in decimal units, with a digit behind the point below a hundred", () => {
  for (const [bytes, text] of [
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [65_536, "65.5 kB"],
    [99_949, "99.9 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [1_200_000_000, "1.2 GB"],
    [Number.MAX_SAFE_INTEGER, "9.0 PB"],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
  }
});

test("sizes are read in decimal and binary units, whatever their case", () => {
  for (const [text, bytes] of [
    ["0", 0],
    ["4096", 4_096],
    ["500MB", 500_000_000],
    ["10GiB", 10 * 1_024 ** 3],
    ["10gib", 10 * 1_024 ** 3],
    ["1.5 TB", 1_500_000_000_000],
    ["16KiB", 16_384],
    ["3B", 3],
  ] as const) {
    assert.equal(parseBytes("--size", text), bytes, text);
  }
  assert.equal(parseByteRate("--rate", "8MB/s"), 8_000_000);
  assert.equal(parseByteRate("--rate", "8MB"), 8_000_000);
});

test("what is no size is refused as a fault of the command line, by the name of its option", () => {
  for (const text of ["", "MB", "-1", "1e9", "10 Gb/s", "ten", "1QB", "9007199254740993", "5 % "]) {
    assert.throws(() => parseBytes("--size", text), usage, text);
  }
  assert.throws(() => parseByteRate("--rate", "0"), usage);
  assert.throws(() => parseBytes("--size", "ten"), /--size is a size such as 500MB/);
});
