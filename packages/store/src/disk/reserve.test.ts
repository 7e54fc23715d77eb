import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedDisk } from "@catalyst/durable/testing";
import { Reserve } from "./reserve.ts";

const bytes = 3_000_000;

test("A reserve is held again by who opens the store next, and can be given up on a disk that is full", async () => {
  const files = createSimulatedDisk({ capacityBytes: bytes });
  const first = new Reserve(files, "", bytes);
  await first.find();
  assert.equal(first.isHeld, false);
  await first.take();
  const next = new Reserve(files, "", bytes);
  assert.equal(next.isHeld, false);
  await next.find();
  assert.equal(next.isHeld, true);
  await next.giveUp();
  assert.equal(next.isHeld, false);
  assert.equal(files.usedBytes, 0);
});

test("A reserve that a crash left half filled is not held, and filled anew when it is taken", async () => {
  const files = createSimulatedDisk();
  const half = await files.open("/reserve", "create");
  await half.write(new Uint8Array(bytes / 2), 0);
  await half.close();
  const reserve = new Reserve(files, "", bytes);
  await reserve.find();
  assert.equal(reserve.isHeld, false);
  await reserve.take();
  assert.equal(reserve.isHeld, true);
  assert.equal(files.usedBytes, bytes);
});
