import {
  type Client,
  contentContract,
  type JobRequest,
  type JobStatus,
  RpcError,
  type RpcErrorCode,
} from "@catalyst/rpc";
import type { CommandContext } from "../../context.ts";
import { CommandError, exitCode } from "../../exit-code.ts";
import { onInterruption } from "../../interruption.ts";
import { printValue } from "../../output.ts";
import type { Printer } from "../../printer.ts";
import { showProgress } from "../../progress.ts";
import { counted, problemOf, resultLines } from "./job-view.ts";

type Content = Client<typeof contentContract>;

/** How often a job is asked how far it is. */
const pollMs = 250;

/**
 * Starts a job and waits for its end, with its progress; with `detach` only its number is told. Ctrl-C cancels it, unless
 * it ran already when it was asked for. Throws {@link CommandError} with exit code 1 when it found damage, and RpcError
 * with the code that the job failed with.
 */
export async function runJob(
  context: CommandContext,
  request: JobRequest,
  { detach = false }: { readonly detach?: boolean },
): Promise<void> {
  const { printer, format } = context;
  using content = await context.connect("content", contentContract);
  const askedAt = Date.now();
  const job = await content.call.startJob(request);
  const ours = Date.parse(job.startedAt) >= askedAt;
  if (detach) return printValue(printer, format, job, () => [job.jobId]);
  if (!ours) printer.talk(`Such a job runs already, since ${job.startedAt}: waiting for its end.`);
  await awaitJob(context, content.call, { job, ours });
}

/** Waits for the end of a job, and prints what came of it. `ours`: whether Ctrl-C cancels it. */
export async function awaitJob(
  { printer, format }: CommandContext,
  content: Content,
  { job, ours }: { readonly job: JobStatus; readonly ours: boolean },
): Promise<void> {
  const { jobId } = job;
  using interruption = onInterruption(
    ours
      ? `The job ${jobId} is cancelled; what it had done stays done.`
      : `The job ${jobId} goes on: \`holo cam jobs ${jobId}\` shows how far it is.`,
  );
  const { signal } = interruption;
  let ended = await follow(printer, content, job, signal);
  if (signal.aborted && ended.state === "running") {
    if (!ours) signal.throwIfAborted();
    ended = await content.cancelJob({ jobId });
  }
  printValue(printer, format, ended, () => resultLines(ended, printer));
  signal.throwIfAborted();
  throwForOutcome(ended);
}

/** As far as a job came when it ended, or when the signal aborted. */
async function follow(
  printer: Printer,
  content: Content,
  job: JobStatus,
  signal: AbortSignal,
): Promise<JobStatus> {
  using progress = showProgress(printer);
  let status = job;
  while (status.state === "running" && !signal.aborted) {
    const { kind, cid, progress: done } = status;
    const objects = done.objects === 0 ? {} : { counted: counted(done.objects, "object") };
    const label = cid === null ? kind : `${kind} ${cid}`;
    progress.update({ label, bytes: done.bytes, totalBytes: done.totalBytes, ...objects });
    status = await content.job({ jobId: job.jobId, waitMs: pollMs });
  }
  return status;
}

function throwForOutcome({ jobId, state, failure, result }: JobStatus): void {
  if (failure !== null) throw new RpcError(failure.code as RpcErrorCode, failure.message);
  if (state === "cancelled") {
    throw new CommandError(exitCode.failed, `the job ${jobId} was cancelled before its end`);
  }
  const problem = result === null ? null : problemOf(result);
  if (problem !== null) throw new CommandError(exitCode.failed, problem);
}
