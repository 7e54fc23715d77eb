// npm run torture -- NAME [--count N] [--seed S]: seeded cases of one kind, one after the other, until one fails. The
// seed of each is the first one's plus its number, so that `--seed S --count 1` replays the case that failed.
import { parseArgs } from "node:util";
import { torturePeering } from "@catalyst/peering/testing";
import { killReplication, tortureReplication } from "@catalyst/star/testing";
import { crashStore, killStore } from "@catalyst/store/testing";
import { replicateCrowd } from "../test/star-crowd.ts";

/** One case; it rejects when what must hold did not. Some kinds are slower than others. */
type Case = (seed: number) => Promise<void>;

const kinds: Readonly<Record<string, Case>> = {
  store: async (seed) => {
    await crashStore(seed);
    await killStore(seed);
  },
  peering: torturePeering,
  star: async (seed) => {
    await tortureReplication(seed);
    await killReplication(seed);
  },
  // The same in each case: what varies is the machine.
  "star-crowd": async () => console.log(await replicateCrowd(100, 32 * 1024 * 1024)),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: "string", default: "500" }, seed: { type: "string" } },
});
const [name = ""] = positionals;
const run = kinds[name];
const count = Number(values.count);
const first = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
if (run === undefined || positionals.length > 1 || !(count >= 1) || !Number.isSafeInteger(first)) {
  console.error(
    `Usage: npm run torture -- NAME [--count N] [--seed S], where NAME is one of: ${Object.keys(kinds).join(", ")}`,
  );
  process.exit(2);
}

console.log(`torture ${name}: ${count} cases from seed ${first}`);
const start = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    await run(seed);
  } catch (error) {
    console.error(error);
    console.log(`Seed ${seed} failed: npm run torture -- ${name} --count 1 --seed ${seed}`);
    process.exit(1);
  }
  if ((seed - first + 1) % 50 === 0) console.log(`${seed - first + 1} of ${count}`);
}
console.log(`${count} passed, 0 failed (${((performance.now() - start) / 1000).toFixed(1)} s)`);
