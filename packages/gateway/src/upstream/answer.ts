import type { ExecutionResult } from "graphql";
import type { AnswerCode } from "../errors.ts";

/** Errors of one answer that are passed on, and characters of each message: every error costs the thread time. */
const maxErrors = 100;
const maxMessageLength = 2_000;

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads what a service answered as the GraphQL specification has it (§7.1): `data`, an object or null, or `errors`,
 * each with a message, or both. Null for anything else. Of too many errors, as many are kept as are passed on, and
 * one more counts the rest. Written by hand: a schema library takes as long for it as everything else together.
 */
export function readAnswer(
  service: string,
  body: Buffer,
  parse: (body: Buffer) => unknown = parseJson,
): ExecutionResult | null {
  return checkAnswer(service, parse(body));
}

/** The same for what was parsed already. */
export function checkAnswer(service: string, answer: unknown): ExecutionResult | null {
  if (!isObject(answer)) return null;
  const { data, errors } = answer;
  if (data === undefined && errors === undefined) return null;
  if (data !== undefined && data !== null && !isObject(data)) return null;
  if (errors === undefined) return answer as ExecutionResult;
  if (!Array.isArray(errors)) return null;
  const kept: JsonObject[] = [];
  for (const error of errors.slice(0, maxErrors)) {
    if (!isObject(error) || typeof error["message"] !== "string") return null;
    kept.push(withShortMessage(error, error["message"]));
  }
  if (errors.length > maxErrors) kept.push(leftOut(service, errors.length - maxErrors));
  return { ...answer, errors: kept } as unknown as ExecutionResult;
}

function leftOut(service: string, count: number): JsonObject {
  const message = `Service "${service}" answered ${count} more errors.`;
  return { message, extensions: { code: "ERRORS_LEFT_OUT" satisfies AnswerCode } };
}

function withShortMessage(error: JsonObject, message: string): JsonObject {
  if (message.length <= maxMessageLength) return error;
  return { ...error, message: `${message.slice(0, maxMessageLength)}…` };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined for what is no JSON. */
export function parseJson(json: Buffer | string): unknown {
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}
