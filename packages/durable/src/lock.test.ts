import assert from "node:assert/strict";
import { test } from "node:test";
import { ownerIn } from "./lock.ts";

const locks = `1: POSIX  ADVISORY  WRITE 4711 fe:00:9986982 1073741824 1073742335
2: FLOCK  ADVISORY  WRITE 42 103:02:9986980 0 EOF
2: -> FLOCK  ADVISORY  WRITE 43 103:02:9986980 0 EOF
3: OFDLCK ADVISORY  WRITE -1 08:01:77 0 EOF
`;

test("The owner of a lock is found by device and inode", () => {
  assert.equal(ownerIn(locks, 0xfe00n, 9986982n), 4711);
  assert.equal(ownerIn(locks, (0x103n << 8n) | 2n, 9986980n), 42);
});

test("Nobody is named for a file without a lock, on another device, or whose lock has no process", () => {
  assert.equal(ownerIn(locks, 0xfe00n, 1n), null);
  assert.equal(ownerIn(locks, 0xfd00n, 9986982n), null);
  assert.equal(ownerIn(locks, 0x801n, 77n), null);
  assert.equal(ownerIn("", 0xfe00n, 9986982n), null);
});
