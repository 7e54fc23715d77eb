import { test } from "node:test";
import { torturePeering } from "./test-torture.ts";

for (let seed = 1; seed <= 20; seed++) {
  test(`After quiet all nodes agree: no peer changed another's routes, no loop, nothing stale (seed ${seed})`, () =>
    torturePeering(seed));
}
