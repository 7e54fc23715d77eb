import { RpcError, type RpcErrorCode } from "@catalyst/rpc";
import type { Ledger } from "./ledger.ts";

/** What a text of the audit log may have, in characters that may take three bytes. */
const maxAuditedLength = 170;

/** Wishes that are refused, in contrast to those that failed. */
const denials: ReadonlySet<RpcErrorCode> = new Set([
  "api_key_name_taken",
  "api_key_unknown",
  "api_keys_full",
  "authority_elsewhere",
  "authority_not_served",
  "invalid_request",
  "join_token_unknown",
  "join_token_used",
  "node_name_taken",
  "node_unknown",
  "ttl_too_long",
]);

/** What somebody asks for, as the audit log calls it. */
export type AskedAction = { readonly action: string; readonly target: string };

/** Does what somebody asks for; that it was denied is in the audit log before it is answered. */
export async function auditingDenial<Result>(
  ledger: Pick<Ledger, "act">,
  asked: AskedAction,
  act: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof RpcError && denials.has(error.code)) {
      await ledger.act({ ...asked, outcome: "denied", reason: clip(error.message) });
    }
    throw error;
  }
}

/** A text for the audit log, the end of which may be missing. */
export function clip(text: string): string {
  return text.length <= maxAuditedLength ? text : `${text.slice(0, maxAuditedLength - 1)}…`;
}
