import type { RpcErrorCode } from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";
import type { SdkErrorCode } from "./errors.ts";

/**
 * What happens to a registration. Each is told once per change, not once per attempt.
 *
 * - `registered`: the node serves the service at `host`; again after a time of `waiting`.
 * - `waiting`: it does not hold the lease, or cannot renew it; it keeps trying.
 * - `conflict`: another live service holds the name, and has for longer than a lease of ours lasts; it keeps trying.
 * - `refused`: it will not be registered, whatever it tries; the service itself goes on.
 * - `released`: the node was told that the service leaves, or will notice when the lease ends.
 */
export type RegistrationEvent =
  | { readonly kind: "registered"; readonly host: string }
  | { readonly kind: "waiting"; readonly code: RpcErrorCode; readonly message: string }
  | { readonly kind: "conflict"; readonly message: string }
  | { readonly kind: "refused"; readonly code: SdkErrorCode; readonly message: string }
  | { readonly kind: "released" };

/** Writes one line for an event of a registration. */
export function logRegistration(logger: Logger, service: string, event: RegistrationEvent): void {
  switch (event.kind) {
    case "registered":
      logger.info({ service, host: event.host }, "registered with the node");
      break;
    case "waiting":
      logger.warn({ service, code: event.code }, `waiting for the node: ${event.message}`);
      break;
    case "conflict":
      logger.error({ service }, `another service holds the name: ${event.message}`);
      break;
    case "refused":
      logger.error({ service, code: event.code }, `the node refuses the registration: ${event.message}`);
      break;
    case "released":
      logger.info({ service }, "the registration has ended");
  }
}

/** One request that was answered, or given up by its client. */
export type AnsweredRequest = {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  /** Whether the whole answer was sent. */
  readonly complete: boolean;
};

/** Writes one line for a request. The query string is left out: it may hold what a log should not. */
export function logRequest(logger: Logger, { complete, ...request }: AnsweredRequest): void {
  logger.info(request, complete ? "request" : "request ended before its answer did");
}

/** The handler threw: the request was answered 500, the others go on. */
export function logHandlerFailure(logger: Logger, requestId: string, error: unknown): void {
  logger.error({ requestId, err: error }, "the handler failed");
}
