import { z } from "zod";
import { defineContract } from "./contract.ts";
import { processMethods, timestamp } from "./process.ts";

/** One child of the supervisor. `backoff` waits before the next start; `stopped` was asked to end. */
export const childStatus = z.object({
  name: z.string(),
  state: z.enum(["starting", "ready", "unready", "backoff", "stopped"]),
  pid: z.int().nullable(),
  restarts: z.int(),
  since: timestamp,
  /** How the last run ended, e.g. `killed by SIGKILL`; null when there was none. */
  lastExit: z.string().nullable(),
  /** What its last run said of why it failed: the last error that it wrote, coded where it is ours. */
  lastError: z.string().nullable(),
  reason: z.string().nullable(),
});
export type ChildStatus = z.infer<typeof childStatus>;

const supervisorDetails = z.object({
  node: z.string(),
  domain: z.string(),
  endpoints: z.array(z.object({ name: z.string(), url: z.string() })),
  children: z.array(childStatus),
  /** Proxies that are served the last good configuration because the orchestrator is away. */
  replaying: z.int(),
});

/** The supervisor's interface on `run/supervisor.sock`. */
export const supervisorContract = defineContract({
  name: "supervisor",
  versions: [1],
  methods: { ...processMethods(supervisorDetails) },
});
