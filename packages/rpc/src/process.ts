import { z } from "zod";
import { defineMethod } from "./contract.ts";

/** The processes of a node; each listens on `run/<name>.sock`. */
export const processName = z.enum(["supervisor", "orchestrator", "gateway", "content", "auth"]);
export type ProcessName = z.infer<typeof processName>;

/** ISO 8601 wall time. */
export const timestamp = z.iso.datetime();

/** Where a process stands. `degraded` works, with something to be mended that `reasons` names. */
export const processState = z.enum(["starting", "ready", "degraded", "draining"]);
export type ProcessState = z.infer<typeof processState>;

/** One named check. The code is stable, so that scripts can select it. */
export const checkResult = z.object({
  code: z.string(),
  title: z.string(),
  outcome: z.enum(["ok", "warning", "failed"]),
  detail: z.string(),
  hint: z.string().optional(),
});
export type CheckResult = z.infer<typeof checkResult>;

/** How something came to be as it is: the same value for every kind of question. */
export const decision = z.object({
  question: z.string(),
  asOf: timestamp,
  inputs: z.record(z.string(), z.unknown()),
  steps: z.array(z.object({ rule: z.string(), outcome: z.string() })),
  result: z.string(),
});
export type Decision = z.infer<typeof decision>;

const hello = defineMethod(
  z.object({ contract: z.string(), versions: z.array(z.number().int()).min(1) }),
  z.object({
    contract: z.string(),
    version: z.number().int(),
    process: z.string(),
    release: z.string(),
    pid: z.number().int(),
    startedAt: timestamp,
  }),
);

/** The calls that every process answers, with the `details` of its own status. */
export function processMethods<D extends z.ZodType>(details: D) {
  return {
    /** Agrees on the highest interface version that both sides speak; the first call of a connection. */
    hello,
    status: defineMethod(
      z.undefined(),
      z.object({
        process: z.string(),
        release: z.string(),
        pid: z.number().int(),
        startedAt: timestamp,
        state: processState,
        reasons: z.array(z.string()),
        details,
      }),
    ),
    check: defineMethod(z.undefined(), z.array(checkResult)),
    explain: defineMethod(z.object({ subject: z.string(), name: z.string() }), decision),
    /** Takes no new work, finishes what runs, answers, and then ends the process. */
    drain: defineMethod(z.undefined(), z.undefined()),
  };
}
