import { hash, randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nucleus } from "@catalyst/star";
import { cpuSeconds, startServer } from "./gateway/process-under-test.ts";
import { type Bench, type Cost, ours, peakMegabytes, Values } from "./report.ts";
import { makeFolder } from "./scratch/folder.ts";
import { type Rsync, startRsync } from "./star/rsync.ts";
import { type Certificate, certify, replicateByCommand, type Star, secret, startStar } from "./star/stars.ts";

const rounds = 5;
const neededBytes = 4 * 1024 ** 3;
const largeBytes = 1024 ** 3;
const messageBytes = 64 * 1024;
const smallCount = 10_000;
const smallBytes = 4_096;
const floorName = "node-floor";
const smallCase = "10000x4KiB";

/**
 * Files from one process to another over loopback, onto a disk and synced. A large one is commanded by a Nucleus that is there already, whose
 * part of the cost is left out; of two sources each sends a part; 10,000 small ones are a folder, commanded by `catalyst replicate`, which is
 * started for it and counted. Processes run through all rounds, of which the first does not count. Processor time is of all processes, and
 * memory of the largest one.
 *
 * Small files come first, and before each large one memory is warmed: see `warmMemory`.
 *
 * `node-floor` is gRPC in Node, in messages of 64 KiB that nobody hashes and no disk sees; stars send large files by HTTP. `disk-floor` is one process that writes as many
 * bytes to the same disk and syncs them. `rsync` is a daemon and a client that copies whole files and syncs them. Everything is below the
 * folder for temporary files: with `TMPDIR` in memory there is no disk.
 */
export const bench: Bench = {
  name: "star",
  targets: [
    { case: "plain_1GiB", metric: "time", atMost: 10 },
    { case: "plain_1GiB", metric: "throughput", atLeast: { share: 0.6, of: floorName } },
    { case: "plain_1GiB", metric: "cpu", atMost: 7.5 },
    { case: smallCase, metric: "time", atMost: 5 },
  ],
  run: async (say) => {
    using folder = makeFolder(tmpdir(), neededBytes);
    say("making 1 GiB of chance, and 10,000 files of 4 KiB");
    const source = join(folder.path, "source");
    const checksum = fill(source);
    await using running = new AsyncDisposableStack();
    const cases = await start(folder.path, source, checksum, running, say);
    const values = new Values();
    // Many large files that have just gone make a disk slow for small ones.
    const small = cases.filter(({ name }) => name === smallCase);
    const large = cases.filter(({ name }) => name !== smallCase);
    for (const group of [small, large]) {
      for (let round = 0; round <= rounds; round++) {
        for (const { name, system, measure } of group) {
          const which = round === 0 ? "a round that does not count" : `round ${round} of ${rounds}`;
          say(`${name}: ${system}, ${which}`);
          if (group === large) warmMemory(folder.path);
          const target = join(folder.path, `${system}-${name}-${round}`);
          const cost = await measure(target);
          // Many files that have just gone make a folder slow.
          if (group === large) rmSync(target, { recursive: true, force: true });
          if (round === 0) continue;
          values.addThroughput(name, system, cost);
          values.add(name, "time", system, cost.seconds);
        }
      }
    }
    return values.rows();
  },
};

/** What is measured again and again, each time into a folder that is not there yet. */
type Case = {
  readonly name: string;
  readonly system: string;
  readonly measure: (target: string) => Promise<Cost>;
};

/**
 * Writes a file as large as the large one, and removes it. A virtual machine whose free memory goes back to its host gets that again ten
 * times as slowly as memory that was in use a moment ago, and a case would cost by what ran before it.
 */
function warmMemory(folder: string): void {
  const path = join(folder, "warm");
  const block = Buffer.alloc(1024 * 1024, 1);
  const file = openSync(path, "wx");
  for (let written = 0; written < largeBytes; written += block.length) writeSync(file, block);
  closeSync(file);
  rmSync(path);
}

/** Starts all processes. */
async function start(
  folder: string,
  source: string,
  checksum: Uint8Array,
  running: AsyncDisposableStack,
  say: (text: string) => void,
): Promise<readonly Case[]> {
  const star = async (tls: Certificate | null = null) => running.use(await startStar(folder, tls));
  const nucleus = (tls?: Certificate) => {
    const trust = tls === undefined ? {} : { tls: { authoritiesFile: tls.certificate } };
    return running.use(new Nucleus({ authSecret: secret, ...trust }));
  };
  const large = join(source, "large");
  const [one, two, three] = [await star(), await star(), await star()];
  const plain = nucleus();
  const cases: Case[] = [
    ...(await floorCases(running)),
    { name: "plain_1GiB", system: ours, measure: (target) => replicate(plain, [one], three, large, target) },
    {
      name: "multi_1GiB",
      system: ours,
      measure: (target) => replicate(plain, [one, two], three, large, target, checksum),
    },
    { name: smallCase, system: ours, measure: (target) => replicateSmall(one, three, source, target) },
  ];
  const tls = certify(folder);
  if (tls === null) say("tls_1GiB is skipped: there is no openssl on the PATH");
  else {
    const [from, to, commands] = [await star(tls), await star(tls), nucleus(tls)];
    cases.push({
      name: "tls_1GiB",
      system: ours,
      measure: (target) => replicate(commands, [from], to, large, target),
    });
  }
  const rsync = await startRsync(source, folder);
  if (rsync === null) say("rsync is skipped: there is none on the PATH");
  else cases.push(...rsyncCases(running.use(rsync)));
  return cases;
}

/** The SHA-256 of the large file. */
function fill(folder: string): Uint8Array {
  mkdirSync(join(folder, "small"), { recursive: true });
  const large = randomFillSync(Buffer.alloc(largeBytes));
  // One write takes no more than 2 GiB, and this is half of that.
  const file = openSync(join(folder, "large"), "wx");
  writeSync(file, large);
  closeSync(file);
  for (let at = 0; at < smallCount; at++) {
    const from = at * smallBytes;
    writeFileSync(join(folder, "small", String(at)), large.subarray(from, from + smallBytes));
  }
  return hash("sha256", large, "buffer");
}

async function replicate(
  nucleus: Nucleus,
  sources: readonly [Star, ...Star[]],
  destination: Star,
  path: string,
  target: string,
  checksum?: Uint8Array,
): Promise<Cost> {
  const at = ({ url }: Star, file: string) => ({ star: { url, token: "star" }, path: file });
  const [first, ...others] = sources;
  return await measureStars([...sources, destination], async () => {
    const { bytes } = await nucleus.replicate({
      from: at(first, path),
      to: at(destination, target),
      sources: others.map((star) => at(star, path)),
      ...(checksum === undefined ? {} : { expectedChecksum: checksum }),
    });
    return bytes;
  });
}

async function replicateSmall(from: Star, to: Star, source: string, target: string): Promise<Cost> {
  let command = { cpuSeconds: 0, rssMegabytes: 0 };
  const cost = await measureStars([from, to], async () => {
    command = await replicateByCommand(from, join(source, "small"), to, target);
    return smallCount * smallBytes;
  });
  return {
    ...cost,
    cpuSeconds: cost.cpuSeconds + command.cpuSeconds,
    rssMegabytes: Math.max(cost.rssMegabytes, command.rssMegabytes),
  };
}

async function measureStars(stars: readonly Star[], run: () => Promise<number>): Promise<Cost> {
  const cpu = () => stars.reduce((sum, star) => sum + star.cpu(), 0);
  const before = cpu();
  const began = performance.now();
  const bytes = await run();
  const seconds = (performance.now() - began) / 1_000;
  return {
    seconds,
    bytes,
    cpuSeconds: cpu() - before,
    rssMegabytes: Math.max(...stars.map((star) => star.rss())),
  };
}

async function floorCases(running: AsyncDisposableStack): Promise<readonly Case[]> {
  const file = join(import.meta.dirname, "star/floor.ts");
  const server = running.use(await startServer(file, ["serve"]));
  const client = running.use(await startServer(file, ["receive", String(server.port)]));
  const measure = async (messages: number, bytes: number): Promise<Cost> => {
    const before = cpuSeconds([server.pid]);
    const received = JSON.parse(await client.tell(`${messages} ${bytes}`)) as Cost;
    return {
      ...received,
      cpuSeconds: received.cpuSeconds + cpuSeconds([server.pid]) - before,
      rssMegabytes: Math.max(received.rssMegabytes, peakMegabytes(server.pid)),
    };
  };
  const write = async (target: string): Promise<Cost> =>
    JSON.parse(await client.tell(`${largeBytes / messageBytes} ${messageBytes} ${target}`));
  const system = floorName;
  return [
    { name: "plain_1GiB", system: "disk-floor", measure: write },
    { name: "plain_1GiB", system, measure: () => measure(largeBytes / messageBytes, messageBytes) },
    { name: smallCase, system, measure: () => measure(smallCount, smallBytes) },
  ];
}

function rsyncCases(rsync: Rsync): readonly Case[] {
  const measure = async (of: string, bytes: number, target: string): Promise<Cost> => {
    mkdirSync(target);
    return { ...(await rsync.copy(of, target)), bytes };
  };
  const system = "rsync";
  return [
    { name: "plain_1GiB", system, measure: (target) => measure("large", largeBytes, target) },
    { name: smallCase, system, measure: (target) => measure("small", smallCount * smallBytes, target) },
  ];
}
