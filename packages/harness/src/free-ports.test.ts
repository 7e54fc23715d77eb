import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { freePorts } from "./free-ports.ts";

test("Ports are given once, also to those who ask at the same time", async () => {
  const given = (await Promise.all([freePorts(5), freePorts(5), freePorts(5)])).flat();
  assert.equal(new Set(given).size, 15);
});

test("A port that somebody listens on is not given", async () => {
  const [last = 0] = await freePorts(1);
  const taken = createServer().listen(last + 1, "127.0.0.1");
  await once(taken, "listening");
  assert.ok(!(await freePorts(3)).includes(last + 1));
  taken.close();
});
