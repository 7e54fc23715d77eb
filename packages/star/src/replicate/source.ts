import { status } from "@grpc/grpc-js";
import type { ReadStreamResponse } from "../../generated/orbit/v1/orbit_pb.js";
import type { StarError, StarErrorCode } from "../errors.ts";
import { readRefusal } from "../refusal.ts";

/** A file at a star, and what allows to read it. */
export type SourceAddress = { readonly url: string; readonly path: string; readonly token: string };

/** What is asked for: `length` zero is to the end. In bytes. */
export type AskedRange = { readonly offset: number; readonly length: number };

export type SourceMessage = Pick<ReadStreamResponse, "chunk" | "validator"> & {
  /** Whether the source would rather send the bytes by HTTP, and sends none so. */
  readonly http?: boolean;
  readonly offset?: bigint | undefined;
  readonly totalSize?: bigint | undefined;
};

/**
 * RFC 9218 §4.2, the header `priority` of every call that reads: else a server of HTTP/2 sends its streams one after the other, and some
 * of a hundred get nothing for long.
 */
export const inTurns = "u=3, i";

/** The bytes that a source sends, asked for one message after the other: what nobody asks for is not sent. */
export type SourceStream = {
  /** Null at the end. A chunk may be written over when the next message is asked for. Throws StarError `source_*` with the status of the source. */
  next(): Promise<SourceMessage | null>;
  /**
   * Grows while something comes that is no message yet: of files that come before this one in its call, or of a first message that has
   * not ended. While it does, the source is not silent.
   */
  readonly heard?: number;
  /** Ends the stream; `next` then throws. Harmless at the end. */
  cancel(): void;
};

/** Who opens files of sources. */
export type SourceOpener = {
  /** Throws StarError `request_invalid` where the address is none. */
  open(source: SourceAddress, range: AskedRange): SourceStream;
};

/** Who reaches sources. */
export type SourceProvider = AsyncDisposable &
  SourceOpener & {
    /**
     * Opens files of one star, each whole, whose bytes come in the order of the files: whoever reads them reads them in that order, some at
     * once at most. Throws like `open`. Missing: each is opened by itself.
     */
    openAll?(url: string, files: readonly SourceAddress[]): readonly SourceStream[];
  };

/** What the first message of a stream tells. */
export type FirstWords =
  /** The source knows no ranges: it sends the file from its beginning, and how long it is shows its end. */
  | { readonly kind: "old" }
  | { readonly kind: "ranged"; readonly size: number; readonly validator: string }
  | { readonly kind: "wrong"; readonly why: string };

/** Reads what a source says of its file; null is a stream without a message. */
export function firstWords(message: SourceMessage | null, asked: AskedRange): FirstWords {
  const { offset, totalSize, validator } = message ?? {};
  if (offset === undefined || totalSize === undefined) {
    if (offset === undefined && totalSize === undefined) return { kind: "old" };
    return { kind: "wrong", why: "says only one of offset and size" };
  }
  if (totalSize > BigInt(Number.MAX_SAFE_INTEGER))
    return { kind: "wrong", why: `has ${totalSize} bytes: no file has` };
  if (offset !== BigInt(asked.offset)) {
    return { kind: "wrong", why: `begins at ${offset}, and was asked for ${asked.offset}` };
  }
  return { kind: "ranged", size: Number(totalSize), validator: Buffer.from(validator ?? []).toString("hex") };
}

const codes: Partial<Record<status, StarErrorCode>> = {
  [status.UNAVAILABLE]: "source_unreachable",
  [status.UNIMPLEMENTED]: "source_outdated",
  [status.DEADLINE_EXCEEDED]: "source_silent",
};

/** A source's refusal or failure, as it says it itself; its code and status go through to whoever commands this star. */
export function sourceError({ url }: SourceAddress, of: status, details: string): StarError {
  return readRefusal(url, { code: of, details }, (status) => codes[status] ?? "source_refused");
}

const worthRetrying: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.INTERNAL,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
  // What connections that break come out as in some stacks; nobody here has cancelled.
  status.CANCELLED,
  status.UNKNOWN,
]);

/** Whether a failure of a source may be gone the next time. */
export function isPassing(error: StarError): boolean {
  return worthRetrying.has(error.status);
}

/** Which of two failures says more to who looks for the fault: a refusal more than silence, and the earlier one. */
export function tellingOf(failures: readonly StarError[]): StarError | undefined {
  return failures.find((failure) => !isPassing(failure)) ?? failures[0];
}

const firstWaitMs = 100;
const longestWaitMs = 5_000;

/** How long to wait before a source is tried again, in ms: exponential, with full jitter, `failures` ≥ 1. */
export function waitBefore(failures: number, random: () => number): number {
  return random() * Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1));
}
