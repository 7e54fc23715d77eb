import { test } from "node:test";
import { torturePeering } from "./test-torture.ts";

/** The last one went in circles while health followed announcements instead of coming with them. */
const seeds = [...Array.from({ length: 20 }, (_, at) => at + 1), 1237];

for (const seed of seeds) {
  test(`After quiet all nodes agree: no peer changed another's routes, no loop, nothing stale (seed ${seed})`, () =>
    torturePeering(seed));
}
