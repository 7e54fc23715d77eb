import { peakMegabytes } from "../report.ts";

/** What a case cost, measured inside the process that did nothing else. */
export type Measured = {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The largest resident set of the whole process, Node itself included. */
  readonly rssMegabytes: number;
  readonly bytes: number;
  readonly objects: number;
  /** Of single objects, where the case is about them. */
  readonly latenciesMs: readonly number[];
};

/** Runs what is measured; threads count as CPU. */
export async function measure(
  run: () => Promise<{ bytes: number; objects?: number; latenciesMs?: readonly number[] }>,
): Promise<Measured> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { bytes, objects = 1, latenciesMs = [] } = await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  return { seconds, cpuSeconds, rssMegabytes: peakMegabytes(process.pid), bytes, objects, latenciesMs };
}
