import { contentContract, type JobRequest, type JobStatus } from "@catalyst/rpc";
import { formatBytes, parseByteRate } from "../../byte-size.ts";
import type { CommandContext } from "../../context.ts";
import { formatDuration, parseDuration } from "../../duration.ts";
import { CommandError, exitCode } from "../../exit-code.ts";
import { printRows, printValue } from "../../output.ts";
import { renderTable } from "../../table.ts";
import { awaitJob, runJob } from "./job.ts";
import { resultLines } from "./job-view.ts";
import { toMinute } from "./listing.ts";

type Detachable = { readonly detach?: boolean };
type InNamespace = Detachable & { readonly namespace: string };

/** `holo cam gc` */
export function collectGarbage(
  context: CommandContext,
  options: Detachable & { grace?: string },
): Promise<void> {
  const graceMs = options.grace === undefined ? {} : { graceMs: parseDuration("--grace", options.grace) };
  return runJob(context, { kind: "gc", ...graceMs }, options);
}

export type ScrubOptions = Detachable & { readonly rate?: string; readonly sample?: string };

/** `holo cam scrub` */
export function scrub(context: CommandContext, options: ScrubOptions): Promise<void> {
  const { rate, sample } = options;
  return runJob(
    context,
    {
      kind: "scrub",
      ...(rate === undefined ? {} : { maxBytesPerSecond: parseByteRate("--rate", rate) }),
      ...(sample === undefined ? {} : { sampleRate: parseShare(sample) }),
    },
    options,
  );
}

/** `holo cam verify OBJECT` and `holo cam repair OBJECT` */
export function jobOnObject(kind: "verify" | "repair") {
  return (context: CommandContext, options: InNamespace, object: string): Promise<void> =>
    runJob(context, { kind, object, namespace: options.namespace }, options);
}

export type PlaceOptions = InNamespace & { readonly copies?: string; readonly scheme?: string };

/** `holo cam place OBJECT` */
export function place(context: CommandContext, options: PlaceOptions, object: string): Promise<void> {
  const { namespace } = options;
  return runJob(context, { kind: "place", object, namespace, ...parseScheme(options) }, options);
}

export type JobsOptions = { readonly wait?: boolean; readonly cancel?: boolean };

/** `holo cam jobs [ID]`: those that run and ended lately, or one of them. */
export async function showJobs(
  context: CommandContext,
  { wait = false, cancel = false }: JobsOptions,
  jobId: string | undefined,
): Promise<void> {
  if (jobId === undefined && (wait || cancel)) {
    throw new CommandError(exitCode.usage, "name the job: `holo cam jobs` lists them");
  }
  const { printer, format } = context;
  using content = await context.connect("content", contentContract);
  if (jobId === undefined) {
    const jobs = await content.call.jobs(undefined);
    return printRows(printer, format, jobs, () => jobTable(jobs, printer.width()));
  }
  const job = await (cancel ? content.call.cancelJob({ jobId }) : content.call.job({ jobId }));
  if (wait) return await awaitJob(context, content.call, { job, ours: false });
  printValue(printer, format, job, () => [...jobTable([job], printer.width()), ...resultLines(job, printer)]);
}

function jobTable(jobs: readonly JobStatus[], width: number | undefined): readonly string[] {
  if (jobs.length === 0) return ["No jobs."];
  return renderTable(
    ["JOB", "KIND", "STATE", "STARTED", "TOOK", "DONE", "ABOUT"],
    jobs.map((job) => [
      job.jobId,
      job.kind,
      job.state,
      toMinute(job.startedAt),
      formatDuration(Date.parse(job.endedAt ?? new Date().toISOString()) - Date.parse(job.startedAt)),
      formatBytes(job.progress.bytes),
      job.failure?.message ?? job.cid ?? "all",
    ]),
    width,
  );
}

/** Reads `10%` or `0.1`: a share of all bytes. */
function parseShare(text: string): number {
  const [, amount = "", percent] = /^(\d+(?:\.\d+)?) ?(%)?$/.exec(text) ?? [];
  const share = Number(amount || Number.NaN) / (percent === undefined ? 1 : 100);
  if (share > 0 && share <= 1) return share;
  throw new CommandError(
    exitCode.usage,
    `--sample is a share such as 10%, above 0 and up to 100%, not "${text}"`,
  );
}

type Shards = Pick<JobRequest & { readonly kind: "place" }, "dataShards" | "parityShards">;

/** `--copies 3` is one shard of data and two more of the same; `--scheme 4+2` is Reed-Solomon. */
function parseScheme({ copies, scheme }: PlaceOptions): Shards {
  if ((copies === undefined) === (scheme === undefined)) {
    throw new CommandError(exitCode.usage, "say how: --copies N, or --scheme DATA+PARITY such as 4+2");
  }
  const [, data = "", parity = ""] = /^(\d{1,3})\+(\d{1,3})$/.exec(scheme ?? `1+${Number(copies) - 1}`) ?? [];
  const shards = { dataShards: Number(data), parityShards: Number(parity) };
  if (data !== "" && shards.dataShards >= 1 && shards.dataShards + shards.parityShards <= 32) return shards;
  throw new CommandError(
    exitCode.usage,
    copies === undefined
      ? `--scheme is DATA+PARITY such as 4+2, 32 shards at most, not "${scheme}"`
      : `--copies is a number from 1 to 32, not "${copies}"`,
  );
}
