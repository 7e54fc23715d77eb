import { status } from "@grpc/grpc-js";
import { StarError, type StarErrorCode } from "../errors.ts";
import type { SourceAddress, SourceOpener } from "../replicate/source.ts";
import type { StarClient } from "./star-client.ts";

/** Who did not do it between them. */
type Pair = {
  readonly destination: StarClient;
  readonly source: SourceAddress;
  /** How the Nucleus itself reaches the source. */
  readonly sources: SourceOpener;
};

const unreached = "the destination does not reach the source";
const outdated = "the source knows no ReadStream";
/** What stars come to that name none of our codes. */
const isVague: ReadonlySet<StarErrorCode> = new Set(["star_unreachable", "star_outdated", "star_failed"]);

/** Why a relay helps where a destination of ours failed with this code; null where it does not. */
export function plainRelayReason(code: StarErrorCode): string | null {
  if (code === "source_unreachable") return unreached;
  return code === "source_outdated" ? outdated : null;
}

/**
 * Why two stars cannot do it between them, where a relay helps; null where it does not. Of a destination that names no code of ours it
 * is found out: by whether it is there, by its words, and by asking the source.
 */
export async function relayReason(
  { code, message }: StarError,
  { destination, source, sources }: Pair,
): Promise<string | null> {
  const plain = plainRelayReason(code);
  if (plain !== null) return plain;
  if (!isVague.has(code) || (await destination.greet()).length > 0) return null;
  // A destination of another make: all that it can say is in its words.
  if (/ReadStream/i.test(message)) return outdated;
  if (code === "star_outdated") return (await knowsReadStream(sources, source)) ? null : outdated;
  return code === "star_unreachable" || /unavailable|unreachable|connect/i.test(message) ? unreached : null;
}

/** A destination passes on that a call is not known, and need not say which star does not know it. */
async function knowsReadStream(sources: SourceOpener, source: SourceAddress): Promise<boolean> {
  const stream = sources.open(source, { offset: 0, length: 1 });
  try {
    await stream.next();
    return true;
  } catch (error) {
    return !(error instanceof StarError) || error.status !== status.UNIMPLEMENTED;
  } finally {
    stream.cancel();
  }
}
