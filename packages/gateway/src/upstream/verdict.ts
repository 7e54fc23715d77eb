import type { ExecutionResult } from "graphql";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import type { ServiceTarget } from "../service.ts";
import { isObject, readAnswer } from "./answer.ts";
import type { Ending } from "./deadline.ts";
import { explainEnvoyDetails } from "./envoy-details.ts";
import type { Outcome, Reply } from "./exchange.ts";

/** A request that came to nothing. */
export type Failed = {
  readonly failure: GatewayError;
  /**
   * What is at fault. `service`: it does not answer; `content`: it does, but not with GraphQL; `way`: what lies before
   * it; `none`: it was right not to ask it. The breaker counts the first alone, operators are told of all but the last.
   */
  readonly fault: "service" | "content" | "way" | "none";
  /** What may be sent again: nothing, queries, or anything because nothing of this has arrived. */
  readonly again: "nothing" | "queries" | "anything";
  /** What the service asks to be waited for first, in ms. */
  readonly retryAfterMs?: number | undefined;
};

/** What an exchange came to. */
export type Verdict = { readonly result: ExecutionResult; readonly reply: Reply } | Failed;

export function isFailed(verdict: object): verdict is Failed {
  return "failure" in verdict;
}

/** A request as messages speak of it: to which service, and what it is called. */
export type Subject = {
  readonly target: ServiceTarget;
  readonly label: string;
  /** Reads the JSON of its answer. */
  readonly parse?: ((body: Buffer) => unknown) | undefined;
};

export function failureOf(
  code: GatewayErrorCode,
  { target }: Subject,
  message: string,
  more: { readonly cause?: unknown; readonly detail?: string } = {},
): GatewayError {
  return new GatewayError(code, message, { service: target.name, ...more });
}

/** Judges how a request ended; `ended` says why when it was not waited for. */
export function judge(subject: Subject, outcome: Outcome, maxBytes: number, ended: Ending | null): Verdict {
  const { label } = subject;
  switch (outcome.kind) {
    case "reply":
      return judgeReply(subject, outcome);
    case "too_long":
      return answered(subject, `answered the ${label} with more than ${maxBytes} bytes`);
    case "encoded":
      return answered(subject, `answered the ${label} compressed, which was not asked for`);
    case "broken":
      return judgeBreak(subject, outcome);
    case "ended":
      return ended === "timeout" ? timedOut(subject) : cancelled(subject);
  }
}

/** What the service did within its time is its answer, however wrong: nothing is gained by asking again. */
function answered(subject: Subject, message: string): Failed {
  return { failure: failureOf("service_bad_response", subject, message), fault: "content", again: "nothing" };
}

export function timedOut(subject: Subject): Failed {
  const message = `did not answer the ${subject.label} within ${subject.target.timeoutMs} ms`;
  return { failure: failureOf("service_timeout", subject, message), fault: "service", again: "nothing" };
}

export function cancelled(subject: Subject): Failed {
  const message = `was not waited for: the ${subject.label} was cancelled`;
  return { failure: failureOf("service_unavailable", subject, message), fault: "none", again: "nothing" };
}

function judgeReply(subject: Subject, reply: Reply): Verdict {
  const { status } = reply;
  const result = readAnswer(subject.target.name, reply.body, subject.parse);
  if (result !== null) return judgeLocalReply(subject, reply, result) ?? { result, reply };
  const told = `answered ${status} to the ${subject.label}`;
  if (status < 500) {
    const garbage = `answered the ${subject.label} with something that is not GraphQL`;
    return answered(subject, status === 200 ? garbage : told);
  }
  return {
    failure: failureOf(status === 504 ? "service_timeout" : "service_unavailable", subject, told),
    fault: "service",
    again: status === 502 || status === 503 ? "queries" : "nothing",
    retryAfterMs: retryAfterOf(reply),
  };
}

function judgeBreak(subject: Subject, outcome: Extract<Outcome, { kind: "broken" }>): Failed {
  const { cause, sent, begun } = outcome;
  // Only the code: the message holds addresses, which are nobody's business outside.
  const code = "code" in cause ? String(cause.code) : "unknown";
  const why =
    code === "ECONNREFUSED" || code === "ENOENT" ? "nothing listens on egress" : "the connection broke";
  const message = `could not be reached for the ${subject.label}: ${why} (${code})`;
  return {
    failure: failureOf("service_unavailable", subject, message, { cause }),
    // Envoy answers for a service that breaks off: without a single byte it is Envoy itself that went away.
    fault: begun ? "service" : "way",
    again: sent ? (begun ? "nothing" : "queries") : "anything",
  };
}

type LocalReply = Pick<Failed, "fault" | "again"> & {
  readonly failure: GatewayErrorCode;
  readonly tell: (label: string) => string;
};

/** What Envoy's own answers mean, by their codes. Envoy has tried again already what never left it. */
const localReplies: Readonly<Record<string, LocalReply>> = {
  SERVICE_UNAVAILABLE: {
    failure: "service_unavailable",
    tell: (label) => `could not be reached for the ${label}`,
    fault: "service",
    again: "queries",
  },
  SERVICE_OVERLOADED: {
    failure: "service_unavailable",
    tell: (label) => `has too many requests to take the ${label}`,
    fault: "service",
    again: "nothing",
  },
  SERVICE_TIMEOUT: {
    failure: "service_timeout",
    tell: (label) => `did not answer the ${label} in time`,
    fault: "service",
    again: "nothing",
  },
  SERVICE_BAD_RESPONSE: {
    failure: "service_bad_response",
    tell: (label) => `answered the ${label} with what is not HTTP`,
    fault: "service",
    again: "nothing",
  },
  HOST_NOT_FOUND: {
    failure: "service_unavailable",
    tell: (label) => `has no route yet that takes the ${label}`,
    fault: "way",
    again: "nothing",
  },
  REQUEST_REFUSED: {
    failure: "service_unavailable",
    tell: (label) => `could not be reached: Envoy refused the ${label}`,
    fault: "way",
    again: "nothing",
  },
  UNAUTHENTICATED: {
    failure: "service_forbidden",
    tell: (label) => `did not get the ${label}: it came without a credential that is valid here`,
    fault: "none",
    again: "nothing",
  },
  FORBIDDEN: {
    failure: "service_forbidden",
    tell: (label) => `did not get the ${label}: the caller's credential does not cover it`,
    fault: "none",
    again: "nothing",
  },
  AUTH_UNAVAILABLE: {
    failure: "service_unavailable",
    tell: (label) => `could not be reached: Envoy cannot verify the credential of the ${label} yet`,
    fault: "way",
    again: "nothing",
  },
};

/** The failure that an answer of Envoy's in place of the service's is; null where the service itself answered. */
function judgeLocalReply(subject: Subject, { status }: Reply, { errors }: ExecutionResult): Failed | null {
  if (status < 400 || errors === undefined) return null;
  const extensions: unknown = errors[0]?.extensions;
  if (!isObject(extensions)) return null;
  const { code, details } = extensions;
  const known =
    typeof code === "string" && Object.hasOwn(localReplies, code) ? localReplies[code] : undefined;
  if (known === undefined || !isEnvoys(status, String(code), details)) return null;
  const { failure, tell, fault, again } = known;
  const detail = typeof details === "string" ? { detail: explainEnvoyDetails(details) } : {};
  return { failure: failureOf(failure, subject, tell(subject.label), detail), fault, again };
}

/** A service may use the words of Envoy's refusals for its own: Envoy's tell who refused in `details`. */
function isEnvoys(status: number, code: string, details: unknown): boolean {
  if (code === "HOST_NOT_FOUND") return status === 404;
  if (code !== "UNAUTHENTICATED" && code !== "FORBIDDEN") return status >= 502;
  return (
    (status === 401 || status === 403) &&
    typeof details === "string" &&
    details.startsWith("rbac_access_denied_matched_policy[")
  );
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf({ headers }: Reply): number | undefined {
  const given = headers["retry-after"];
  if (given === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(given) ? Number(given) * 1_000 : Date.parse(given) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
