import type { IncomingHttpHeaders } from "node:http";
import type { ExecutionResult } from "graphql";
import type { Dispatcher, Pool } from "undici";
import { whenAborted } from "./abort-signal.ts";
import { checkAnswer, parseJson } from "./answer.ts";
import type { Deadline } from "./deadline.ts";
import { readEventStream } from "./event-stream.ts";
import type { Message, Reply } from "./exchange.ts";
import { cancelled, type Failed, failureOf, isFailed, judge, type Subject, timedOut } from "./verdict.ts";

/** Results of a subscription; it throws a `GatewayError` when the service breaks off, and is over once it did. */
export type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** A subscription that has begun, or why it has not. */
export type Opening = { readonly results: Results } | Failed;

/** What bounds a subscription: its beginning by `deadline`, all of it by `signal`, and each event by `maxBytes`. */
export type Bounds = {
  readonly maxBytes: number;
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
};

/**
 * Begins a subscription as server-sent events (GraphQL over SSE, distinct connections mode). Events that nobody reads
 * stay in the connection: the service is slowed down.
 */
export async function openEventStream(
  pool: Pool,
  subject: Subject,
  { path, headers, body }: Message,
  bounds: Bounds,
): Promise<Opening> {
  const { maxBytes, deadline, signal } = bounds;
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  const unlisten = whenAborted(signal, stop);
  deadline.listen(stop);
  try {
    const answer = await pool.request({ method: "POST", path, headers, body, signal: stopped.signal });
    if (isEventStream(answer)) return { results: readResults(subject, answer, bounds, unlisten) };
    const failed = await refusalOf(subject, answer, maxBytes);
    unlisten();
    return failed;
  } catch (cause) {
    unlisten();
    if (signal.aborted) return cancelled(subject);
    if (deadline.ended === "timeout") return timedOut(subject);
    return brokenOff(subject, cause, false);
  } finally {
    deadline.listen(null);
  }
}

function isEventStream({ headers }: Dispatcher.ResponseData): boolean {
  const type = headers["content-type"];
  return (Array.isArray(type) ? type[0] : type)?.split(";")[0]?.trim().toLowerCase() === "text/event-stream";
}

export function brokenOff(subject: Subject, cause: unknown, begun: boolean): Failed {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  return judge(subject, { kind: "broken", cause: error, sent: true, begun }, 0, null) as Failed;
}

/** What an answer says that is no stream of results. */
export async function refusalOf(
  subject: Subject,
  answer: {
    readonly statusCode: number;
    readonly headers: IncomingHttpHeaders;
    readonly body: AsyncIterable<Buffer>;
  },
  maxBytes: number,
): Promise<Failed> {
  const { statusCode, headers, body } = answer;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return judge(subject, { kind: "too_long" }, maxBytes, null) as Failed;
    chunks.push(chunk);
  }
  const reply: Reply = { kind: "reply", status: statusCode, headers, body: Buffer.concat(chunks) };
  const verdict = judge(subject, reply, maxBytes, null);
  if (isFailed(verdict)) return verdict;
  const why = JSON.stringify(verdict.result.errors?.[0]?.message ?? "no event stream");
  const failure = failureOf("service_bad_response", subject, `answered the subscription with ${why}`);
  return { failure, fault: "content", again: "nothing" };
}

async function* readResults(
  subject: Subject,
  answer: Dispatcher.ResponseData,
  { maxBytes, signal }: Bounds,
  unlisten: () => void,
): Results {
  try {
    for await (const { event, data } of readEventStream(answer.body, maxBytes)) {
      if (event === "complete") return;
      if (event === "next" || event === "message") yield readResult(subject, data);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof RangeError)
      throw (judge(subject, { kind: "too_long" }, maxBytes, null) as Failed).failure;
    throw error instanceof Error && "service" in error ? error : brokenOff(subject, error, true).failure;
  } finally {
    unlisten();
    answer.body.on("error", () => undefined).destroy();
  }
  throw failureOf("service_unavailable", subject, "ended the subscription without completing it");
}

function readResult(subject: Subject, text: string): ExecutionResult {
  const result = checkAnswer(subject.target.name, parseJson(text));
  if (result !== null) return result;
  const message = `answered the ${subject.label} with something that is not GraphQL`;
  throw failureOf("service_bad_response", subject, message);
}
