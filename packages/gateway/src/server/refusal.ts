import { GraphQLError } from "graphql";
import type { AnswerCode } from "../errors.ts";

/** Codes of what is no operation, which the libraries of the language give as well. */
type LanguageCode = "BAD_REQUEST" | "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED";

export type RefusalCode = AnswerCode | LanguageCode;

/** The answer to a request that holds no operation, or none that is executed. */
export type Refusal = {
  readonly status: number;
  readonly error: GraphQLError;
  /** Further headers, names and values in turn. */
  readonly headers: readonly string[];
};

export function refuse(
  status: number,
  error: GraphQLError,
  headers: readonly string[] = status === 503 ? ["retry-after", "1"] : [],
): Refusal {
  return { status, error, headers };
}

/** The error of a request that is refused: a sentence and its code. */
export function refusalError(
  code: RefusalCode,
  message: string,
  extensions: Readonly<Record<string, unknown>> = {},
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extensions } });
}
