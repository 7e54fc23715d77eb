import { existsSync } from "node:fs";
import {
  type AuditEntry,
  type Delegation,
  type Envelope,
  type Receipt,
  readDelegation,
  readEnvelope,
  readPayload,
  readReceipt,
  verifyAudit,
} from "@catalyst/evidence";
import { statementKid } from "@catalyst/identity";
import { paths } from "@catalyst/node";
import { type Cid, cidOfBlock } from "@catalyst/wire";
import { CommandError, exitCode } from "../exit-code.ts";

/** A receipt as it stands in an audit log. That the log was not changed is verified; its signatures are not. */
export type LoggedReceipt = {
  readonly cid: Cid;
  /** Milliseconds since 1970, when it was entered. */
  readonly at: number;
  readonly receipt: Receipt;
  readonly envelope: Envelope;
};

/** Receipts of a log, in their order, and all delegations of keys that it holds. */
export type FoundReceipts = {
  readonly receipts: readonly LoggedReceipt[];
  readonly delegations: readonly LentKey[];
};

/** A delegation, and the kid of the key that it lends. */
export type LentKey = { readonly kid: string; readonly delegation: Delegation };

/** Where the content process of a node keeps its log. */
export function contentLog(dataDir: string): string {
  return paths.audit(dataDir, "content");
}

/**
 * Reads an audit log, which may be written at the same time, for receipts. Throws {@link CommandError} with exit code 3
 * where there is none, and EvidenceError `audit_*` for one that was changed.
 */
export async function findReceipts(
  folder: string,
  wanted: (logged: LoggedReceipt) => boolean,
): Promise<FoundReceipts> {
  if (!existsSync(folder)) {
    const how = "name another node with --config or --node-data-dir, or a log with --folder";
    throw new CommandError(exitCode.notFound, `there is no audit log in ${folder}: ${how}`);
  }
  const receipts: LoggedReceipt[] = [];
  const delegations: LentKey[] = [];
  const onEntry = ({ at, event }: AuditEntry) => {
    if ("delegation" in event) {
      const delegation = readDelegation(event.delegation);
      delegations.push({ kid: statementKid(delegation.key), delegation });
    } else if ("receipt" in event) {
      const envelope = readEnvelope(event.receipt);
      const logged = {
        cid: cidOfBlock(event.receipt, "cbor"),
        at,
        receipt: readReceipt(readPayload(envelope)),
        envelope,
      };
      if (wanted(logged)) receipts.push(logged);
    }
  };
  await verifyAudit(folder, { onEntry });
  return { receipts, delegations };
}
