import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobStatus } from "@catalyst/rpc";
import { recordingContext } from "../../../test/recording-context.ts";
import { CommandError, exitCode } from "../../exit-code.ts";
import { collectGarbage, place, scrub, showJobs } from "./job-commands.ts";
import { problemOf, resultLines } from "./job-view.ts";

const { context } = recordingContext({});
const namespace = "default";

test("what a job is asked for and cannot be is refused before anybody is asked", async () => {
  for (const [run, says] of [
    [() => place(context, { namespace }, "o"), /--copies N, or --scheme/],
    [() => place(context, { namespace, copies: "2", scheme: "4+2" }, "o"), /--copies N, or --scheme/],
    [() => place(context, { namespace, scheme: "4" }, "o"), /such as 4\+2/],
    [() => place(context, { namespace, scheme: "0+2" }, "o"), /such as 4\+2/],
    [() => place(context, { namespace, scheme: "30+3" }, "o"), /32 shards at most/],
    [() => place(context, { namespace, copies: "0" }, "o"), /a number from 1 to 32/],
    [() => place(context, { namespace, copies: "two" }, "o"), /a number from 1 to 32/],
    [() => scrub(context, { sample: "0%" }), /a share such as 10%/],
    [() => scrub(context, { sample: "101%" }), /a share such as 10%/],
    [() => scrub(context, { rate: "fast" }), /a size such as/],
    [() => collectGarbage(context, { grace: "soon" }), /a time such as 30d/],
    [() => showJobs(context, { wait: true }, undefined), /name the job/],
  ] as const) {
    await assert.rejects(
      async () => run(),
      (error) => {
        assert.ok(error instanceof CommandError && error.code === exitCode.usage, String(error));
        assert.match(error.message, says);
        return true;
      },
    );
  }
});

const job = (result: JobStatus["result"]) => ({ result }) as JobStatus;
const cid = "bafk";

test("what came of a job is told to the leaf, and is a problem only where something is wrong", () => {
  const lines = (result: NonNullable<JobStatus["result"]>) => [
    ...resultLines(job(result), context.printer),
    problemOf(result),
  ];
  const damage = [
    { cid, part: "data" as const, firstLeaf: 3, leaves: 1 },
    { cid, part: "outboard" as const, firstLeaf: 0, leaves: 8 },
    { cid, part: "record" as const, firstLeaf: 0, leaves: 0 },
  ];
  const scrubbed = { kind: "scrub" as const, objects: 1, bytes: 5_000, repaired: 0, finished: true };
  assert.deepEqual(lines({ ...scrubbed, damage: [], damaged: 0 }), [
    "read 1 object, 5.0 kB: no damage",
    null,
  ]);
  assert.deepEqual(lines({ ...scrubbed, damage, damaged: 10, repaired: 1 }), [
    "read 1 object, 5.0 kB",
    "bafk  leaf 3 of its data",
    "bafk  leaves 0 to 7 of its tree",
    "bafk  its record",
    "found 10 damaged leaves, 1 object repaired from where they are placed: `holo cam verify OBJECT` shows what is left",
  ]);
  const shards = [
    { shard: 0, device: "d1", state: "intact" as const },
    { shard: 1, device: null, state: "missing" as const },
  ];
  assert.deepEqual(lines({ kind: "verify", cid, sizeBytes: 1, damage: [], shards }), [
    "bafk is intact: 1 B read",
    "SHARD  STATE    DEVICE",
    "0      intact   d1",
    "1      missing  -",
    "1 shard not intact: `holo cam repair` writes them anew",
  ]);
  const collected = { kind: "gc" as const, marked: 3, removed: 1, removedBytes: 1_500, kept: 7 };
  assert.deepEqual(lines(collected), [
    "removed 1 object, 1.5 kB freed; 7 kept",
    "2 more are removed by a run after the grace, unless they are used",
    null,
  ]);
  assert.deepEqual(lines({ kind: "repair", cid, outcome: "intact", shards: 0 }), [
    "bafk is intact: nothing to repair",
    null,
  ]);
});
