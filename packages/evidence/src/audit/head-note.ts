import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@catalyst/durable";
import { EvidenceError } from "../errors.ts";
import type { AuditHead } from "./entry.ts";

// The head as text, `SEQ:DIGEST`: in the note beside the log, and where people keep it.

/** A head as text: `42:9f86d0…`. */
export function formatAuditHead({ seq, digest }: AuditHead): string {
  return `${seq}:${Buffer.from(digest).toString("hex")}`;
}

/** Reads {@link formatAuditHead}'s text, and no other: spec/evidence.md §7.1. Throws {@link EvidenceError} `schema_mismatch`. */
export function parseAuditHead(text: string): AuditHead {
  const [, seq, digest] = /^(0|[1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || digest === undefined || !Number.isSafeInteger(Number(seq))) {
    throw new EvidenceError("schema_mismatch", "a head is a number, a colon and 64 hexadecimal digits");
  }
  return { seq: Number(seq), digest: new Uint8Array(Buffer.from(digest, "hex")) };
}

/** Notes where the log ended when it was last closed or went on in another file: it shows an accidental loss. */
export async function noteHead(folder: string, head: AuditHead): Promise<void> {
  await replaceFile(join(folder, "audit-head"), `${formatAuditHead(head)}\n`);
}

/** The noted head; null where there is none. Throws {@link EvidenceError} `audit_changed` when it is no head. */
export async function readHeadNote(folder: string): Promise<AuditHead | null> {
  const path = join(folder, "audit-head");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new EvidenceError("audit_failed", `cannot read ${path}`, { cause, evidence: { path } });
  }
  try {
    return parseAuditHead(text.trimEnd());
  } catch (cause) {
    throw new EvidenceError("audit_changed", `${path} holds no head`, { cause, evidence: { path } });
  }
}
