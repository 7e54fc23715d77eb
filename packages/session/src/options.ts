import { option, z } from "@catalyst/config";
import { frameRangeBytes, holdRangeMs } from "./message/open.ts";

/** Section `mesh.session`: how a node talks with its peers. */
export const sessionOptions = z
  .strictObject({
    holdMs: option(z.int().min(holdRangeMs[0]).max(holdRangeMs[1]).default(15_000), {
      description:
        "A session with a peer that was not heard of for this long ends. Both ends propose; the smaller one holds.",
    }),
    handshakeMs: option(z.int().min(100).max(120_000).default(10_000), {
      description:
        "How long it may take from the beginning of a connection until its session is established.",
    }),
    minBackoffMs: option(z.int().min(10).max(60_000).default(250), {
      description:
        "The longest wait before a peer is dialled again; doubles with each failure. The wait itself is random.",
    }),
    maxBackoffMs: option(z.int().min(10).max(3_600_000).default(30_000), {
      description: "The longest wait before a peer is dialled again after many failures.",
    }),
    stableMs: option(z.int().min(0).max(3_600_000).default(60_000), {
      description: "A session that was established for this long leaves no history of failures.",
    }),
    maxFrameBytes: option(z.int().min(frameRangeBytes[0]).max(frameRangeBytes[1]).default(1_048_576), {
      description: "The longest frame that is accepted from a peer.",
    }),
    windowMessages: option(z.int().min(4).max(1_048_576).default(1_024), {
      description:
        "How many messages of one protocol a peer may have on the way to us that were not taken yet.",
    }),
    windowBytes: option(z.int().min(131_072).max(268_435_456).default(4_194_304), {
      description: "How many bytes of one protocol a peer may have on the way to us that were not taken yet.",
      range: "at least twice `maxFrameBytes`",
    }),
    maxSessions: option(z.int().min(1).max(100_000).default(1_024), {
      description: "How many sessions the node has at most, all peers together.",
    }),
    maxSessionsPerPeer: option(z.int().min(1).max(64).default(4), {
      description: "How many sessions one peer has at most, each for a purpose of its own.",
    }),
    maxHalfOpen: option(z.int().min(1).max(10_000).default(64), {
      description: "How many connections may be on their way to a session at once.",
    }),
    maxHalfOpenPerAddress: option(z.int().min(1).max(10_000).default(16), {
      description: "How many of these may come from one address.",
    }),
    reopenBurst: option(z.int().min(1).max(10_000).default(16), {
      description: "How many sessions a peer may open at once or one after the other, however soon they end.",
    }),
    reopenIntervalMs: option(z.int().min(1).max(3_600_000).default(5_000), {
      description: "After how long it may open one more than that.",
    }),
    connectBurst: option(z.int().min(1).max(1_000_000).default(256), {
      description: "How many connections are taken in from one address at once or one after the other.",
    }),
    connectIntervalMs: option(z.int().min(1).max(3_600_000).default(25), {
      description: "After how long one more than that is taken in from it.",
    }),
    maxClockSkewMs: option(z.int().min(1).max(86_400_000).default(5_000), {
      description: "A peer whose clock is further from ours is told of in the log and in `status`.",
    }),
  })
  .superRefine(({ windowBytes, maxFrameBytes }, context) => {
    if (windowBytes >= 2 * maxFrameBytes) return;
    context.addIssue({ code: "custom", path: ["windowBytes"], message: "is less than twice maxFrameBytes" });
  });

export type SessionOptions = z.output<typeof sessionOptions>;
