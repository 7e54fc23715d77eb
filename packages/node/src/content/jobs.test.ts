import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobStatus } from "@catalyst/rpc";
import { type JobControl, type JobOutcome, type JobPlan, Jobs } from "./jobs.ts";

const collected: JobOutcome = {
  result: { kind: "gc", marked: 1, removed: 0, removedBytes: 0, kept: 2 },
  receipt: null,
};

function planOf(kind: JobPlan["kind"], run: (control: JobControl) => Promise<JobOutcome>): JobPlan {
  return { kind, cid: null, totalBytes: 100, run };
}

function start(): { jobs: Jobs; ended: JobStatus[] } {
  const ended: JobStatus[] = [];
  return { jobs: new Jobs({ jobEnded: (job) => void ended.push(job) }), ended };
}

/** Runs until it is cancelled. */
const endless = ({ signal }: JobControl): Promise<JobOutcome> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a job says how far it has come, and what came of it", async () => {
  const { jobs, ended } = start();
  const gate = Promise.withResolvers<void>();
  const { jobId } = jobs.start(
    planOf("gc", async ({ onProgress }) => {
      onProgress(40, 1);
      onProgress(2);
      await gate.promise;
      return collected;
    }),
  );
  const running = await jobs.wait(jobId, 5);
  assert.equal(running.state, "running");
  assert.deepEqual(running.progress, { objects: 1, bytes: 42, totalBytes: 100 });
  gate.resolve();
  const done = await jobs.wait(jobId, 5_000);
  assert.deepEqual([done.state, done.result], ["done", collected.result]);
  assert.ok(done.endedAt !== null);
  assert.deepEqual(ended, [done]);
});

test("of gc and scrub one runs at a time, and whoever asks again is given that one", async () => {
  const { jobs } = start();
  const first = jobs.start(planOf("scrub", endless));
  assert.equal(jobs.start(planOf("scrub", endless)).jobId, first.jobId);
  assert.notEqual(jobs.start(planOf("gc", endless)).jobId, first.jobId);
  await jobs.cancelAll();
  assert.notEqual(jobs.start(planOf("scrub", endless)).jobId, first.jobId);
  await jobs.cancelAll();
});

test("a job that is cancelled ends so, and one that fails with its code", async () => {
  const { jobs } = start();
  const { jobId } = jobs.start(planOf("verify", endless));
  assert.equal((await jobs.cancel(jobId)).state, "cancelled");
  const failing = jobs.start(
    planOf("verify", async () => {
      throw Object.assign(new Error("no room"), { code: "disk_full" });
    }),
  );
  const failed = await jobs.wait(failing.jobId, 1_000);
  assert.deepEqual([failed.state, failed.failure], ["failed", { code: "disk_full", message: "no room" }]);
});

test("a job that nobody knows is said to be unknown, and so is one that ended long ago", async () => {
  const { jobs } = start();
  await assert.rejects(jobs.wait("none", 0), { code: "job_unknown" });
  const ids: string[] = [];
  for (let at = 0; at < 102; at++) {
    const { jobId } = jobs.start(planOf("verify", async () => collected));
    await jobs.wait(jobId, 1_000);
    ids.push(jobId);
  }
  await sleep(0);
  assert.equal(jobs.list().length, 100);
  await assert.rejects(jobs.wait(ids[0] ?? "", 0), { code: "job_unknown" });
  assert.equal((await jobs.wait(ids[101] ?? "", 0)).state, "done");
});

test("as many jobs run as may at once, and one more is refused", async () => {
  const { jobs } = start();
  for (let at = 0; at < 16; at++) jobs.start(planOf("verify", endless));
  assert.throws(() => jobs.start(planOf("verify", endless)), { code: "busy" });
  await jobs.cancelAll();
  assert.equal(jobs.running().length, 0);
});
