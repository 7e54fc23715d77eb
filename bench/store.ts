import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bench, ours, percentile, type Row, Values } from "./report.ts";
import { makeFolder } from "./scratch/folder.ts";
import { concurrency } from "./store/content.ts";
import type { Measured } from "./store/meter.ts";

const rounds = 3;
const neededBytes = 6 * 1024 ** 3;
const floorName = "node-floor";
const toKeep = `${ours}+keep`;
const byDefault = `${ours}+default`;

/**
 * The store on a real disk beside what plain Node needs for the same bytes: their SHA-256 and a file that is synced;
 * for small objects a SHA-256 and an SQLite transaction for as many as are on their way at once; for reading and
 * scrubbing a file that is read and hashed. Every case runs in a process of its own. What is read was just written
 * and is in the page cache, but for `first_byte_cold`.
 */
export const bench: Bench = {
  name: "store",
  targets: [
    { case: "put_1GiB", metric: "rss", atMost: 100 },
    { case: "get_1GiB", metric: "rss", atMost: 100 },
    { case: "scrub", metric: "overhead", system: byDefault, atMost: 5 },
    { case: "first_byte_hot", metric: "p99", atMost: 5 },
    { case: "first_byte_cold", metric: "p99", atMost: 20 },
  ],
  run: async (say) => {
    using folder = makeFolder(tmpdir(), neededBytes);
    for (const system of [ours, floorName]) await runAlone(system, "warmUp", folder.path);
    const large = await measureLarge(folder.path, say);
    const small = await measureSmall(folder.path, say);
    return [...large, ...small, ...(await measureFirstByte(folder.path, say))];
  },
};

type Say = (text: string) => void;
/** The last put of either system is what is read. */
async function measureLarge(root: string, say: Say): Promise<Row[]> {
  const values = new Values();
  for (let round = 0; round < rounds; round++) {
    for (const system of [ours, floorName]) {
      say(`${system}: put and get 1 GiB, ${round + 1} of ${rounds}`);
      const folder = join(root, system);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      values.addThroughput("put_1GiB", system, await runAlone(system, "putLarge", folder));
      const read = await runAlone(system, "getLarge", folder);
      values.addThroughput("get_1GiB", system, read);
      if (system === floorName) values.addThroughput("scrub", system, read);
      else {
        values.addThroughput("get_1GiB", toKeep, await runAlone(system, "getLargeToKeep", folder));
        values.addThroughput("scrub", system, await runAlone(system, "scrub", folder));
      }
    }
  }
  say(`${ours}: three seconds of a scrub at its default rate, and the rate of the disk`);
  const scrubbed = await runAlone(ours, "scrubByDefault", join(root, ours));
  values.addThroughput("scrub", byDefault, scrubbed);
  const disk = await runAlone(floorName, "readCold", join(root, floorName));
  if (disk === null || scrubbed === null)
    say("no GNU dd to drop files from the page cache: no rate of the disk");
  else {
    values.addThroughput("scrub_cold", floorName, disk);
    values.add("scrub", "overhead", byDefault, (rateOf(scrubbed) / rateOf(disk)) * 100);
  }
  for (const system of [ours, floorName]) rmSync(join(root, system), { recursive: true });
  return values.rows();
}

async function measureSmall(root: string, say: Say): Promise<Row[]> {
  const values = new Values();
  for (let round = 0; round < rounds; round++) {
    for (const system of [ours, floorName]) {
      say(`${system}: put 100,000 objects of 4 KiB, ${concurrency} at once, ${round + 1} of ${rounds}`);
      using folder = makeFolder(root, neededBytes);
      const measured = await runAlone(system, "putSmall", folder.path);
      if (measured === null) continue;
      values.add("put_100000_small", "rate", system, measured.objects / measured.seconds);
      values.addCost("put_100000_small", system, measured);
    }
  }
  return values.rows();
}

async function measureFirstByte(root: string, say: Say): Promise<Row[]> {
  const values = new Values();
  for (const [name, subject] of [
    ["first_byte_hot", "firstByteHot"],
    ["first_byte_cold", "firstByteCold"],
  ] as const) {
    for (let round = 0; round < rounds; round++) {
      for (const system of [ours, floorName]) {
        say(`${system}: ${name}, ${round + 1} of ${rounds}`);
        using folder = makeFolder(root, neededBytes);
        const measured = await runAlone(system, subject, folder.path);
        if (measured === null) say("no GNU dd to drop files from the page cache: skipped");
        else {
          values.add(name, "p50", system, percentile(measured.latenciesMs, 0.5));
          values.add(name, "p99", system, percentile(measured.latenciesMs, 0.99));
        }
      }
    }
  }
  return values.rows();
}

/** MB/s. */
function rateOf({ bytes, seconds }: Measured): number {
  return bytes / 1e6 / seconds;
}

/**
 * Measures in a process that does nothing else. As with the command lines, compiled code is kept from one to the next:
 * stripping types takes 40 MB.
 */
async function runAlone(system: string, name: string, folder: string): Promise<Measured | null> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "catalyst-bench-compiled") };
  const child = [join(import.meta.dirname, "store", "process.ts"), system, name, folder];
  const { stdout } = await promisify(execFile)(process.execPath, child, { env });
  return JSON.parse(stdout) as Measured | null;
}
