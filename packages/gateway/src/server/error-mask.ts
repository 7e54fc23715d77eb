import { GraphQLError, type GraphQLFormattedError } from "graphql";
import type { OperationResult } from "../engine/engine.ts";
import { type AnswerCode, GatewayError, isOwn, toGraphQLError } from "../errors.ts";

export type MaskOptions = {
  /** Whose messages clients do not see: those of the gateway's own faults, or those of services as well. */
  readonly mask: "internal" | "services";
  /** Codes and other extensions of services that are shown although their messages are not. */
  readonly codes: readonly string[];
  readonly extensions: readonly string[];
};

/**
 * The result as the client may see it. An exception of the gateway itself is told to `onInternal`, and to the client
 * only that it happened. With `mask: "services"`, an error of a service says which service failed and no more than
 * the options allow.
 */
export function maskResult(
  result: OperationResult,
  options: MaskOptions,
  onInternal: (error: unknown) => void,
): OperationResult {
  const { errors } = result;
  if (errors === undefined) return result;
  return { ...result, errors: errors.map((error) => maskError(error, options, onInternal)) };
}

export const gatewayFailed = "The gateway failed; its log has the cause under this request's id.";

/** What a client sees of anything that was thrown. */
export function maskError(
  error: unknown,
  options: MaskOptions,
  onInternal: (error: unknown) => void,
): GraphQLError {
  if (error instanceof GatewayError) return toGraphQLError(error);
  const located = asLocated(error);
  if (located !== null && isForClient(located)) {
    return options.mask === "services" ? withoutDetails(located, options) : located;
  }
  onInternal(located?.originalError ?? error);
  return new GraphQLError(gatewayFailed, {
    nodes: located?.nodes ?? null,
    path: located?.path ?? null,
    extensions: { code: "INTERNAL_SERVER_ERROR" satisfies AnswerCode },
  });
}

/** Engines answer with GraphQLErrors or with errors that are formatted already, as services sent them. */
function asLocated(error: unknown): GraphQLError | null {
  if (error instanceof GraphQLError) return error;
  if (error instanceof Error || typeof error !== "object" || error === null || !("message" in error))
    return null;
  return error as unknown as GraphQLError;
}

/** Errors of services and of the GraphQL language are for the client; an exception in the gateway is not. */
function isForClient(error: GraphQLError): boolean {
  const cause = error.originalError;
  if (cause === undefined || cause === null) return true;
  if (cause instanceof AggregateError) {
    return cause.errors.every((one) => one instanceof GraphQLError && isForClient(one));
  }
  return cause instanceof GraphQLError && isForClient(cause);
}

function withoutDetails(error: GraphQLError, { codes, extensions: shown }: MaskOptions): GraphQLError {
  const { path, nodes, extensions = {} } = error as GraphQLFormattedError & Pick<GraphQLError, "nodes">;
  const { service } = extensions;
  const named = typeof service === "string" ? `Service "${service}"` : "A service";
  if (isOwn(extensions) || !("service" in extensions || "services" in extensions)) return error;
  const kept = Object.entries(extensions).filter(
    ([name, value]) =>
      name === "service" ||
      name === "services" ||
      shown.includes(name) ||
      (name === "code" && codes.includes(String(value))),
  );
  return new GraphQLError(`${named} answered with an error.`, {
    nodes: nodes ?? null,
    path: path ?? null,
    extensions: Object.fromEntries(kept),
  });
}
