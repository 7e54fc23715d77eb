import assert from "node:assert/strict";
import { test } from "node:test";
import { DurableError } from "./errors.ts";
import { armFailpoints, failpoint, failpointSync } from "./failpoint.ts";

test("A failpoint that nobody armed does nothing", () => {
  assert.equal(failpoint("test.step"), undefined);
  failpointSync("test.step");
});

test("An armed error fails its own step and no other, until it is disarmed", () => {
  {
    using _ = armFailpoints("test.step=error");
    assert.throws(() => failpointSync("test.step"), { name: "DurableError", code: "io_failed" });
    assert.throws(() => failpoint("test.step"), { code: "io_failed" });
    failpointSync("test.other");
  }
  failpointSync("test.step");
});

test("ENOSPC fails a step as a full disk does", () => {
  using _ = armFailpoints("test.step=error:ENOSPC");
  assert.throws(() => failpointSync("test.step"), { code: "disk_full" });
});

test("A count lets the passes before it through", () => {
  using _ = armFailpoints("test.step=error@3");
  failpointSync("test.step");
  failpointSync("test.step");
  assert.throws(() => failpointSync("test.step"), { code: "io_failed" });
});

test("A delay makes a step take longer, in both kinds of code", async () => {
  using _ = armFailpoints("test.step=delay:20, test.other=error");
  const start = performance.now();
  await failpoint("test.step");
  failpointSync("test.step");
  assert.ok(performance.now() - start >= 38);
});

test("Arming refuses what is not in the grammar, and names it", () => {
  for (const list of ["test.step", "test.step=explode", "test.step=delay", "=kill", "a=kill@0", "a=kill,,"]) {
    assert.throws(
      () => armFailpoints(list),
      (error) => error instanceof DurableError && error.code === "failpoint_invalid",
      list,
    );
  }
});
