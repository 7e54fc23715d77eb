import { IdentityError, type IdentityErrorCode } from "@catalyst/identity";
import { NodeError } from "@catalyst/node";
import { RpcError, type RpcErrorCode } from "@catalyst/rpc";

/** What a command's exit code means, the same for every command. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  temporary: 5,
} as const;

/** A command that ends early: what went wrong is printed, without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const keyFailures: Readonly<Partial<Record<IdentityErrorCode, number>>> = {
  key_name: exitCode.usage,
  key_not_found: exitCode.notFound,
  join_token_malformed: exitCode.usage,
  join_token_expired: exitCode.denied,
  root_mismatch: exitCode.denied,
  identity_taken: exitCode.usage,
  keys_in_use: exitCode.temporary,
};

const rpcFailures: Readonly<Partial<Record<RpcErrorCode, number>>> = {
  invalid_request: exitCode.usage,
  service_declared: exitCode.usage,
  service_name_taken: exitCode.usage,
  service_leased: exitCode.usage,
  not_explainable: exitCode.usage,
  range_invalid: exitCode.usage,
  too_few_devices: exitCode.usage,
  service_not_found: exitCode.notFound,
  object_not_found: exitCode.notFound,
  job_unknown: exitCode.notFound,
  api_key_unknown: exitCode.notFound,
  generation_unknown: exitCode.notFound,
  coordinate_unknown: exitCode.notFound,
  api_key_name_taken: exitCode.usage,
  authority_not_served: exitCode.usage,
  authority_elsewhere: exitCode.usage,
  node_name_taken: exitCode.usage,
  node_unknown: exitCode.notFound,
  join_token_unknown: exitCode.notFound,
  join_token_used: exitCode.denied,
  enrolment_refused: exitCode.denied,
  authority_unreachable: exitCode.temporary,
  peers_not_served: exitCode.usage,
  peer_configured: exitCode.usage,
  peer_unknown: exitCode.notFound,
  invitation_unknown: exitCode.notFound,
  invitation_refused: exitCode.denied,
  peer_unreachable: exitCode.temporary,
  ttl_too_long: exitCode.denied,
  api_keys_full: exitCode.denied,
  quota_exceeded: exitCode.denied,
  unreachable: exitCode.temporary,
  disconnected: exitCode.temporary,
  timeout: exitCode.temporary,
  draining: exitCode.temporary,
  busy: exitCode.temporary,
  key_too_new: exitCode.temporary,
  disk_full: exitCode.temporary,
  object_incomplete: exitCode.temporary,
};

/** Errors of our packages and of the system carry a code: their message is for people, a stack is not. */
function codedFailure(error: unknown): { code: number; message: string } | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  const code = error instanceof IdentityError ? keyFailures[error.code] : undefined;
  return { code: code ?? exitCode.failed, message: `${error.message} (${error.code})` };
}

/** The exit code and the words for whatever a command threw; null for a defect of ours. */
export function explainFailure(error: unknown): { code: number; message: string } | null {
  if (error instanceof CommandError) return { code: error.code, message: error.message };
  if (error instanceof NodeError) return { code: exitCode.failed, message: error.message };
  if (!(error instanceof RpcError)) return codedFailure(error);
  return { code: rpcFailures[error.code] ?? exitCode.failed, message: error.message };
}
