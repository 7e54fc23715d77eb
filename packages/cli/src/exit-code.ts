import { IdentityError, type IdentityErrorCode } from "@catalyst/identity";
import { NodeError } from "@catalyst/node";
import { RpcError } from "@catalyst/rpc";

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
  keys_in_use: exitCode.temporary,
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
  switch (error.code) {
    case "service_not_found":
      return { code: exitCode.notFound, message: error.message };
    case "invalid_request":
    case "service_declared":
    case "service_name_taken":
    case "service_leased":
    case "not_explainable":
      return { code: exitCode.usage, message: error.message };
    case "unreachable":
    case "disconnected":
    case "timeout":
    case "draining":
      return { code: exitCode.temporary, message: error.message };
    default:
      return { code: exitCode.failed, message: error.message };
  }
}
