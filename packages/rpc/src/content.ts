import { namespacePattern } from "@catalyst/wire/portable";
import { z } from "zod";
import { defineContract, defineMethod } from "./contract.ts";
import { processMethods, timestamp } from "./process.ts";

/** Whom an object is kept for, and against whose quota it counts. */
export const contentNamespace = z
  .string()
  .regex(namespacePattern, "is not a namespace such as acme or team.app")
  .default("default");

/** How an object is asked for: its CID, `sha256:` and the hexadecimal digest of its bytes, or a name that it has. */
export const objectReference = z.string().min(1).max(1_024);

const located = { object: objectReference, namespace: contentNamespace };
/** A name within a namespace; it cannot be taken for a digest. */
export const objectName = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (text) => text.isWellFormed() && Buffer.byteLength(text) <= 1_024,
    "is not text of up to 1,024 bytes",
  )
  .refine((text) => !/^sha256:|^b[a-z2-7]{50,}$/.test(text), "is not a name: it looks like a digest");
const count = z.int().min(0);

export const pinClass = z.enum(["hot", "warm", "cold"]);

/** Leaves of an object, or the tree above them, that are not what its CID says. */
const damage = z.object({
  cid: z.string(),
  part: z.enum(["data", "outboard", "record"]),
  firstLeaf: count,
  leaves: count,
});

const pin = z.object({
  namespace: z.string(),
  scope: z.string(),
  class: pinClass,
  until: timestamp.nullable(),
});

/** What is known of an object without reading it. */
export const objectStat = z.object({
  cid: z.string(),
  sizeBytes: count,
  leafSize: count,
  /** Hexadecimal; null while the object is partial. */
  sha256: z.string().nullable(),
  /** The file of which the object is the manifest. */
  file: z.object({ sizeBytes: count, sha256: z.string() }).nullable(),
  state: z.enum(["whole", "partial"]),
  storedAt: timestamp,
  verifiedAt: timestamp.nullable(),
  damage: z.array(damage),
});
export type ObjectStat = z.infer<typeof objectStat>;

export const contentUsage = z.object({
  namespace: z.string(),
  usedBytes: count,
  maxBytes: count.nullable(),
});
export type ContentUsage = z.infer<typeof contentUsage>;

/** The CID of the receipt that says it was done. */
const evidence = { receipt: z.string() };

/** Work that may take long. It goes on when its caller leaves; what it did is evidence of its own. */
export const jobRequest = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("gc"), graceMs: count.optional() }),
  z.object({
    kind: z.literal("scrub"),
    sampleRate: z.number().gt(0).max(1).optional(),
    maxBytesPerSecond: z.int().min(1).optional(),
  }),
  z.object({ kind: z.literal("verify"), ...located }),
  z
    .object({
      kind: z.literal("place"),
      ...located,
      dataShards: z.int().min(1).max(32),
      parityShards: z.int().min(0).max(31),
    })
    .refine(({ dataShards, parityShards }) => dataShards + parityShards <= 32, {
      error: "a receipt names up to 32 shards: ask for fewer",
      path: ["parityShards"],
    }),
  z.object({ kind: z.literal("repair"), ...located }),
]);
export type JobRequest = z.output<typeof jobRequest>;

const shard = z.object({
  shard: count,
  device: z.string().nullable(),
  state: z.enum(["intact", "damaged", "missing"]),
});

export const jobResult = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("gc"), marked: count, removed: count, removedBytes: count, kept: count }),
  z.object({
    kind: z.literal("scrub"),
    objects: count,
    bytes: count,
    /** Up to 1,000 places. */
    damage: z.array(damage),
    /** Leaves that are damaged, in all places. */
    damaged: count,
    /** Objects that were made whole again from where they are placed. */
    repaired: count,
    /** False when it was ended early; the next one goes on from there. */
    finished: z.boolean(),
  }),
  z.object({
    kind: z.literal("verify"),
    cid: z.string(),
    sizeBytes: count,
    damage: z.array(damage),
    /** Where it is placed; null when it is not. */
    shards: z.array(shard).nullable(),
  }),
  z.object({ kind: z.literal("place"), cid: z.string(), devices: z.array(z.string()) }),
  z.object({
    kind: z.literal("repair"),
    cid: z.string(),
    outcome: z.enum(["intact", "repaired", "lost"]),
    shards: count,
  }),
]);
export type JobResult = z.infer<typeof jobResult>;

export const jobStatus = z.object({
  jobId: z.string(),
  kind: z.enum(["gc", "scrub", "verify", "place", "repair"]),
  /** The CID that it is about. */
  cid: z.string().nullable(),
  state: z.enum(["running", "done", "failed", "cancelled"]),
  startedAt: timestamp,
  endedAt: timestamp.nullable(),
  progress: z.object({
    objects: count,
    bytes: count,
    /** Bytes in all, where that is known. */
    totalBytes: count.nullable(),
  }),
  result: jobResult.nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  receipt: z.string().nullable(),
});
export type JobStatus = z.infer<typeof jobStatus>;

const contentDetails = z.object({
  folder: z.string(),
  objects: count,
  bytes: count,
  partial: count,
  damaged: count,
  scrubbedAt: timestamp.nullable(),
  collectedAt: timestamp.nullable(),
  running: z.array(jobStatus),
  devices: z.array(z.object({ folder: z.string(), reachable: z.boolean() })),
  /** In whose name receipts are signed. */
  issuer: z.string(),
  /** The key that signs them, and until when it is lent; null before the first receipt. */
  signer: z.object({ kid: z.string(), until: timestamp }).nullable(),
  /** The audit log's number of entries and the digest of the last, as `catalyst audit verify` prints it. */
  auditHead: z.string(),
});

/** The content process's interface on `run/content.sock`; bytes go as plain HTTP on the same socket. */
export const contentContract = defineContract({
  name: "content",
  versions: [1],
  methods: {
    ...processMethods(contentDetails),
    stat: defineMethod(
      z.object(located),
      objectStat.extend({
        pins: z.array(pin),
        names: z.array(z.object({ namespace: z.string(), name: z.string() })),
      }),
    ),
    /** Objects in the order in which they came, after the one that is named. */
    list: defineMethod(
      z.object({ after: z.string().optional(), limit: z.int().min(1).max(1_000).default(100) }),
      z.array(objectStat),
    ),
    /** The names within a namespace, in their order; of a manifest the size of its file. */
    names: defineMethod(
      z.object({ namespace: contentNamespace }),
      z.array(z.object({ name: z.string(), cid: z.string(), sizeBytes: count, storedAt: timestamp })),
    ),
    namespaces: defineMethod(z.undefined(), z.array(contentUsage)),
    /** Gives an object a name, in place of what had it; the object is kept as long as it has one. */
    link: defineMethod(
      z.object({ ...located, name: objectName }),
      z.object({ cid: z.string(), previous: z.string().nullable(), ...evidence }),
    ),
    unlink: defineMethod(
      z.object({ name: objectName, namespace: contentNamespace }),
      z.object({ cid: z.string(), ...evidence }),
    ),
    /** Keeps an object until it is unpinned, or for so long. */
    pin: defineMethod(
      z.object({
        ...located,
        class: pinClass.default("warm"),
        scope: z.string().min(1).max(128).default("default"),
        ttlMs: z.int().min(1).optional(),
      }),
      z.object({ cid: z.string(), until: timestamp.nullable(), ...evidence }),
    ),
    unpin: defineMethod(
      z.object({ ...located, scope: z.string().min(1).max(128).default("default") }),
      z.object({ cid: z.string(), ...evidence }),
    ),
    /** What a namespace may hold, in bytes; null for no limit. */
    setQuota: defineMethod(
      z.object({ namespace: contentNamespace, maxBytes: count.nullable() }),
      contentUsage,
    ),
    startJob: defineMethod(jobRequest, jobStatus),
    /** Answers when the job has ended, or after `waitMs`. */
    job: defineMethod(
      z.object({ jobId: z.string(), waitMs: z.int().min(0).max(5_000).default(0) }),
      jobStatus,
    ),
    cancelJob: defineMethod(z.object({ jobId: z.string() }), jobStatus),
    /** Those that run, and the last hundred that ended. */
    jobs: defineMethod(z.undefined(), z.array(jobStatus)),
  },
});
