import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bench, ours, type Row, toRow } from "./report.ts";

const rounds = 5;
const sizes = [100_000, 250_000, 500_000, 1_000_000];

/**
 * Routes from one peer: encoded by it, decoded, taken through an import policy of 10 rules into the Loc-RIB, and through
 * the Adj-RIB-Out of two other peers into messages for them. Services have a name of their own each, 250 of them
 * share attributes. Each size and round has a process of its own; time is from the first message to the last one.
 */
export const bench: Bench = {
  name: "rib",
  targets: [
    { case: "100000", metric: "time", atMost: 1 },
    { case: "1000000", metric: "time", atMost: 10 },
    { case: "1000000", metric: "rss", atMost: 1_000 },
  ],
  run: async (say) => {
    const rows: Row[] = [];
    for (const size of sizes) {
      const [times, memory]: [number[], number[]] = [[], []];
      for (let round = 1; round <= rounds; round++) {
        say(`${size} routes, ${round} of ${rounds}`);
        const { seconds, megabytes } = await runAlone(size);
        times.push(seconds);
        memory.push(megabytes);
      }
      const what = { case: String(size), system: ours };
      rows.push(toRow({ ...what, metric: "time", unit: "s" }, times));
      rows.push(toRow({ ...what, metric: "rss", unit: "MB" }, memory));
    }
    return rows;
  },
};

async function runAlone(size: number): Promise<{ seconds: number; megabytes: number }> {
  const script = join(import.meta.dirname, "rib", "process.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(size)], {
    timeout: 300_000,
  });
  return JSON.parse(stdout) as { seconds: number; megabytes: number };
}
