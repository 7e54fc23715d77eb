import { test } from "node:test";
import { crashStore } from "./test-crash.ts";
import { killStore } from "./test-kill.ts";

for (let seed = 1; seed <= 20; seed++) {
  test(`What was acknowledged survives power cuts at any step, and all space comes back (seed ${seed})`, () =>
    crashStore(seed));
}

for (let seed = 1; seed <= 5; seed++) {
  test(`What was acknowledged survives kill -9 at a durable step (seed ${seed})`, () => killStore(seed));
}
