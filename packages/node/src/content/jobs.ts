import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type JobRequest, type JobResult, type JobStatus, RpcError } from "@catalyst/rpc";
import type { Cid } from "@catalyst/wire";

/** What a job is given to say how far it has come, and to learn that it is no longer wanted. */
export type JobControl = {
  readonly signal: AbortSignal;
  /** More bytes were dealt with, and objects. */
  readonly onProgress: (bytes: number, objects?: number) => void;
};

export type JobOutcome = { readonly result: JobResult; readonly receipt: Cid | null };

export type JobPlan = {
  readonly kind: JobRequest["kind"];
  readonly cid: Cid | null;
  readonly totalBytes: number | null;
  readonly run: (control: JobControl) => Promise<JobOutcome>;
};

export type JobEvents = { jobEnded(job: JobStatus, error: unknown): void };

const mostRunning = 16;
const mostEnded = 100;

type Job = {
  status: JobStatus;
  readonly controller: AbortController;
  readonly ended: Promise<unknown>;
};

/** Work that goes on whether or not somebody waits for it. */
export class Jobs {
  readonly #events: JobEvents;
  readonly #jobs = new Map<string, Job>();

  constructor(events: JobEvents) {
    this.#events = events;
  }

  /** Begins a job; of gc and scrub one runs at a time, and whoever asks again is given that one. Throws `busy`. */
  start(plan: JobPlan): JobStatus {
    const running = this.running();
    const same = running.find(({ kind }) => kind === plan.kind);
    if (same !== undefined && (plan.kind === "gc" || plan.kind === "scrub")) return same;
    if (running.length >= mostRunning) {
      throw new RpcError("busy", `${running.length} jobs run already: wait for one of them to end`);
    }
    const jobId = randomBytes(4).toString("hex");
    const controller = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const job: Job = { status: begun(jobId, plan), controller, ended };
    this.#jobs.set(jobId, job);
    void this.#run(job, plan).then(resolve);
    return job.status;
  }

  /** The job once it has ended, or after this time. Throws `job_unknown`. */
  async wait(jobId: string, waitMs: number): Promise<JobStatus> {
    const job = this.#find(jobId);
    const timer = new AbortController();
    const patience = sleep(waitMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([job.ended, patience]);
    timer.abort();
    return job.status;
  }

  /** Asks a job to end, and waits until it has. Throws `job_unknown`. */
  async cancel(jobId: string): Promise<JobStatus> {
    const job = this.#find(jobId);
    job.controller.abort();
    await job.ended;
    return job.status;
  }

  async cancelAll(): Promise<void> {
    await Promise.all(this.running().map(({ jobId }) => this.cancel(jobId)));
  }

  list(): JobStatus[] {
    return [...this.#jobs.values()].map(({ status }) => status);
  }

  running(): JobStatus[] {
    return this.list().filter(({ state }) => state === "running");
  }

  #find(jobId: string): Job {
    const job = this.#jobs.get(jobId);
    if (job === undefined)
      throw new RpcError("job_unknown", `there is no job ${jobId}, or it ended long ago`);
    return job;
  }

  async #run(job: Job, { run }: JobPlan): Promise<void> {
    const { signal } = job.controller;
    let failed: unknown = null;
    const onProgress = (bytes: number, objects = 0) => {
      const { progress } = job.status;
      progress.bytes += bytes;
      progress.objects += objects;
    };
    try {
      const { result, receipt } = await run({ signal, onProgress });
      job.status = { ...job.status, state: signal.aborted ? "cancelled" : "done", result, receipt };
    } catch (error) {
      failed = signal.aborted && error === signal.reason ? null : error;
      job.status = { ...job.status, ...failureOf(failed) };
    }
    job.status = { ...job.status, endedAt: new Date().toISOString() };
    this.#forget();
    this.#events.jobEnded(job.status, failed);
  }

  #forget(): void {
    const ended = this.list().filter(({ state }) => state !== "running");
    for (const { jobId } of ended.slice(0, -mostEnded)) this.#jobs.delete(jobId);
  }
}

function begun(jobId: string, { kind, cid, totalBytes }: JobPlan): JobStatus {
  return {
    jobId,
    kind,
    cid,
    state: "running",
    startedAt: new Date().toISOString(),
    endedAt: null,
    progress: { objects: 0, bytes: 0, totalBytes },
    result: null,
    failure: null,
    receipt: null,
  };
}

function failureOf(error: unknown): Pick<JobStatus, "state" | "failure"> {
  if (error === null) return { state: "cancelled", failure: null };
  const code = error instanceof Error && "code" in error ? String(error.code) : "internal";
  const message = error instanceof Error ? error.message : String(error);
  return { state: "failed", failure: { code, message } };
}
