import { status } from "@grpc/grpc-js";
import { isStarErrorCode, StarError, type StarErrorCode, statusOf } from "./errors.ts";

/** Messages of gRPC go into a header: what is longer is cut off. */
const longestMessage = 1_000;

/** A refusal as a star sends it: gRPC's status, and words that begin with our code (spec/star.md §9). */
export type Refusal = { readonly code: status; readonly details: string };

/** How a star writes what it refuses. */
export function writeRefusal({ code, status: of, message }: StarError): Refusal {
  return { code: of, details: `${code}: ${cutOff(message)}` };
}

/**
 * What a star at `url` refused, with its gRPC status: by our code, where its words begin with one of them, else by `others`, since
 * stars of other makes have a status alone.
 */
export function readRefusal(
  url: string,
  { code: told, details: said }: Refusal,
  others: (of: status) => StarErrorCode,
): StarError {
  // A header can say any number; those that are none of gRPC's fit into no message of ours.
  const of = status[told] === undefined ? status.UNKNOWN : told;
  // In the messages of a batch they may be megabytes.
  const details = cutOff(said, 2 * longestMessage);
  const [, word = "", words = ""] = /^([a-z_]+): (.*)$/s.exec(details) ?? [];
  if (isStarErrorCode(word)) return new StarError(word, placed(url, words), { status: of });
  const code = others(of);
  // A code that stands for this very status says it already.
  const named = statusOf(code) === of ? [] : [status[of]];
  return new StarError(code, [url, ...named, ofConnection(url, details)].join(": "), { status: of });
}

/** gRPC throws where words end in half a character. */
function cutOff(words: string, longest = longestMessage): string {
  return words.slice(0, longest).toWellFormed();
}

/** Words that name a star already, as a destination's of its source, are not given another one. */
function placed(url: string, words: string): string {
  return /^https?:\/\//.test(words) ? words : `${url}: ${words}`;
}

/** What gRPC says of a connection that did not come about, without what it wraps it in, and the address once. */
function ofConnection(url: string, details: string): string {
  const [, words = details] =
    /^No connection established\. Last error: (?:\w+: )?(.*?)\. Resolution note: $/s.exec(details) ?? [];
  return words.replace(` ${url.replace(/^https?:\/\//, "")}`, "");
}
