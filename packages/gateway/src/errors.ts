import { GraphQLError } from "graphql";

/**
 * Why the gateway could not do something.
 *
 * | code | what to do |
 * |---|---|
 * | `update_stale` | a newer update, or another one of the same version, is in force: send the current one with a higher version |
 * | `service_not_found` | the update in force names no such service: look at the services in the report |
 * | `draining` | the gateway is shutting down: send the request to another one, or again when it is back |
 * | `service_unavailable` | the service, or the way to it, refused or broke the connection: start it, or look at its log |
 * | `service_timeout` | the service took longer than its `timeoutMs`: make it faster, or raise the limit |
 * | `service_bad_response` | the service answered something that is not GraphQL over HTTP: correct its URL or the service |
 * | `schema_invalid` | a schema cannot be served: the message says where it is wrong |
 * | `composition_failed` | a schema takes too long or too much memory to compose: make it smaller, or split the service |
 *
 * In a GraphQL answer the codes stand in upper case in `extensions.code`, beside `extensions.service`.
 */
export type GatewayErrorCode =
  | "update_stale"
  | "service_not_found"
  | "draining"
  | "service_unavailable"
  | "service_timeout"
  | "service_bad_response"
  | "schema_invalid"
  | "composition_failed";

export type GatewayErrorOptions = ErrorOptions & {
  /** Name of the service that the error is about. */
  readonly service?: string;
  /** What operators need besides the message, and clients must not see: it may hold addresses. */
  readonly detail?: string;
};

/**
 * What stands in `extensions.code` of an answer, besides the `SERVICE_…` codes above, the codes that services give
 * themselves, and `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED` and `BAD_REQUEST` for what is no operation.
 *
 * | code | what to do |
 * |---|---|
 * | `NO_SERVICE` | nothing is served: register a service, or mend those in `unavailableServices` |
 * | `DRAINING` | the gateway is shutting down: try again, it or another one will answer |
 * | `SCHEMA_REPLACED` | the subscription's schema retired: subscribe again |
 * | `BODY_TOO_LONG` | send less, or raise `maxBodyBytes` |
 * | `OPERATION_TOO_DEEP` | ask for fewer levels at a time, or raise `maxDepth` |
 * | `OPERATION_TOO_LARGE` | select each field once, and split the operation into several |
 * | `ERRORS_LEFT_OUT` | a service answered more errors than are passed on: look at those that are there |
 * | `UNSUPPORTED_MEDIA_TYPE` | send `content-type: application/json` |
 * | `NOT_FOUND` | the endpoint has another path: the message names it |
 * | `INTERNAL_SERVER_ERROR` | the gateway failed: its log has the cause under the answer's `x-request-id` |
 */
export type AnswerCode =
  | "NO_SERVICE"
  | "DRAINING"
  | "SCHEMA_REPLACED"
  | "BODY_TOO_LONG"
  | "OPERATION_TOO_DEEP"
  | "OPERATION_TOO_LARGE"
  | "ERRORS_LEFT_OUT"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "NOT_FOUND"
  | "INTERNAL_SERVER_ERROR";

/** The one error of this package. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;
  readonly service: string | undefined;
  readonly detail: string | undefined;

  constructor(code: GatewayErrorCode, message: string, options?: GatewayErrorOptions) {
    super(message, options);
    this.code = code;
    this.service = options?.service;
    this.detail = options?.detail;
  }
}

/** The error as a GraphQL client sees it: a sentence, the code, and the service that failed. */
export function toGraphQLError(error: GatewayError): GraphQLError {
  const { code, service, message } = error;
  return new GraphQLError(service === undefined ? message : `Service "${service}" ${message}.`, {
    extensions: { code: code.toUpperCase(), ...(service === undefined ? {} : { service }) },
  });
}
