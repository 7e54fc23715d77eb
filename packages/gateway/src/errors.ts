import { GraphQLError } from "graphql";

/**
 * Why the gateway could not do something.
 *
 * | code | what to do |
 * |---|---|
 * | `update_stale` | a newer update, or another one of the same version, is in force: send the current one with a higher version |
 * | `service_not_found` | the update in force names no such service: look at the services in the report |
 * | `draining` | the gateway is shutting down: send the request to another one, or again when it is back |
 * | `service_unavailable` | the service, or the way to it, refused or broke the connection: start it, or look at its log; one that fails too often is left alone for `upstream.breaker.openMs` |
 * | `service_timeout` | the service took longer than its `timeoutMs`: make it faster, or raise the limit |
 * | `service_bad_response` | the service answered something that is not GraphQL over HTTP: correct its URL or the service |
 * | `service_forbidden` | the caller's credential is missing, not valid or does not cover the service: use one that names it (`catalyst apikey create --service …`) |
 * | `schema_invalid` | a schema cannot be served: the message says where it is wrong |
 * | `composition_failed` | a schema takes too long or too much memory to compose or to compare: make it smaller, or split the service |
 * | `generation_unknown` | no schema of this number is kept, or none is served: `catalyst gateway history` shows those that are |
 * | `coordinate_unknown` | the schema in force has no such type or field: `catalyst gateway schema` shows it |
 * | `documents_invalid` | a file of persisted documents cannot be read: mend the one that the message names |
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
  | "service_forbidden"
  | "schema_invalid"
  | "composition_failed"
  | "documents_invalid"
  | "generation_unknown"
  | "coordinate_unknown";

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
 * | `SUBSCRIPTION_FIELDS_GONE` | the schema has no longer what the subscription asks for: `missing` says what; change the document |
 * | `BODY_TOO_LONG` | send less, or raise `maxBodyBytes` |
 * | `BODY_TOO_SLOW` | send the body within `bodyTimeoutMs` |
 * | `BATCH_TOO_LONG` | send fewer operations in one request, or raise `maxBatch` |
 * | `OPERATION_TOO_DEEP` | ask for fewer levels at a time, or raise `maxDepth` |
 * | `PLANNING_TIMEOUT` | the gateway has too many new operations to plan: send it again a little later |
 * | `OPERATION_NOT_PLANNED` | no service can be asked for a part of the operation, which the message names: give its type a key there, or leave the field out |
 * | `OPERATION_TOO_LARGE` | select each field once, and split the operation into several |
 * | `OPERATION_TOO_COSTLY` | ask for fewer items of its lists by `first` or `limit`, or raise `maxCost` |
 * | `TOO_MANY_ALIASES` | split the operation into several, or raise `maxAliases` |
 * | `TOO_MANY_ROOT_FIELDS` | split the operation into several, or raise `maxRootFields` |
 * | `TOO_MANY_DIRECTIVES` | leave out directives, or raise `maxDirectives` |
 * | `TOO_MANY_OPERATIONS` | complete an operation of the WebSocket first, or raise `websocket.maxOperations` |
 * | `TOO_MANY_SOCKETS` | try again later, or raise `websocket.maxSockets` |
 * | `ORIGIN_NOT_ALLOWED` | add the page's origin to `websocket.origins` |
 * | `PERSISTED_DOCUMENT_REQUIRED` | ask for one of the persisted documents by its id: no other is executed |
 * | `PERSISTED_DOCUMENT_NOT_FOUND` | add the document to those of `persistedDocuments.path`, or correct the id |
 * | `PERSISTED_QUERY_NOT_FOUND` | send the document once more, together with its hash |
 * | `PERSISTED_QUERY_NOT_SUPPORTED` | send documents, or turn on `persistedDocuments.automatic` |
 * | `PERSISTED_QUERY_MISMATCH` | send the SHA-256 of the document that goes with it |
 * | `ERRORS_LEFT_OUT` | a service answered more errors than are passed on: look at those that are there |
 * | `UNSUPPORTED_MEDIA_TYPE` | send `content-type: application/json`, in UTF-8 and uncompressed |
 * | `NOT_ACCEPTABLE` | accept `application/graphql-response+json`; for a subscription `text/event-stream`, or use a WebSocket |
 * | `METHOD_NOT_ALLOWED` | send a POST; by GET only queries |
 * | `NOT_FOUND` | the endpoint has another path: the message names it |
 * | `INTERNAL_SERVER_ERROR` | the gateway failed: its log has the cause under the answer's `x-request-id` |
 */
export type AnswerCode =
  | "NO_SERVICE"
  | "DRAINING"
  | "SCHEMA_REPLACED"
  | "SUBSCRIPTION_FIELDS_GONE"
  | "BODY_TOO_LONG"
  | "BODY_TOO_SLOW"
  | "BATCH_TOO_LONG"
  | "OPERATION_TOO_DEEP"
  | "PLANNING_TIMEOUT"
  | "OPERATION_NOT_PLANNED"
  | "OPERATION_TOO_LARGE"
  | "OPERATION_TOO_COSTLY"
  | "TOO_MANY_ALIASES"
  | "TOO_MANY_ROOT_FIELDS"
  | "TOO_MANY_DIRECTIVES"
  | "TOO_MANY_OPERATIONS"
  | "TOO_MANY_SOCKETS"
  | "ORIGIN_NOT_ALLOWED"
  | "PERSISTED_DOCUMENT_REQUIRED"
  | "PERSISTED_DOCUMENT_NOT_FOUND"
  | "PERSISTED_QUERY_NOT_FOUND"
  | "PERSISTED_QUERY_NOT_SUPPORTED"
  | "PERSISTED_QUERY_MISMATCH"
  | "ERRORS_LEFT_OUT"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "NOT_ACCEPTABLE"
  | "METHOD_NOT_ALLOWED"
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

/** Extensions that the gateway wrote, beside messages of its own: a service may write the same ones. */
const own = new WeakSet<object>();

/** Marks the extensions of an error whose message the gateway wrote, without any value of a service in it. */
export function ownExtensions<T extends object>(extensions: T): T {
  own.add(extensions);
  return extensions;
}

/** Whether an error is the gateway's own, by its extensions. */
export function isOwn(extensions: unknown): boolean {
  return typeof extensions === "object" && extensions !== null && own.has(extensions);
}

/** The error as a GraphQL client sees it: a sentence, the code, and the service that failed. */
export function toGraphQLError(error: GatewayError): GraphQLError {
  const { code, service, message } = error;
  return new GraphQLError(service === undefined ? message : `Service "${service}" ${message}.`, {
    extensions: ownExtensions({ code: code.toUpperCase(), ...(service === undefined ? {} : { service }) }),
  });
}
