import { test } from "node:test";
import { killReplication } from "./test-kill.ts";
import { tortureReplication } from "./test-torture.ts";

for (let seed = 1; seed <= 20; seed++) {
  test(`Whatever becomes of sources and power, a file is right or what it was before (seed ${seed})`, () =>
    tortureReplication(seed));
}

for (let seed = 1; seed <= 4; seed++) {
  test(`Kill -9 at a durable step costs at most one block of what was written (seed ${seed})`, () =>
    killReplication(seed));
}
