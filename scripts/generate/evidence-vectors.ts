// The vectors of spec/evidence.md, good and bad, from what is written down in scripts/generate/evidence. The keys are
// made of names, so that the files come out the same each time.
import type { Generated } from "../generate.ts";
import { auditVectors } from "./evidence/audit.ts";
import { auditHeadVectors } from "./evidence/audit-head.ts";
import { bundleVectors } from "./evidence/bundle.ts";
import { decisionVectors } from "./evidence/decision.ts";
import { envelopeVectors } from "./evidence/envelope.ts";
import { fileVectors } from "./evidence/file.ts";
import { receiptVectors } from "./evidence/receipt.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

type Pair = Readonly<Record<"good" | "bad", VectorFile>>;

export function generateEvidenceVectors(): readonly Generated[] {
  const folders: Readonly<Record<string, Pair>> = {
    envelope: envelopeVectors(),
    receipt: receiptVectors(),
    file: fileVectors(),
    bundle: bundleVectors(),
    decision: decisionVectors(),
    audit: auditVectors(),
    "audit-head": auditHeadVectors(),
  };
  return Object.entries(folders).flatMap(([name, pair]) =>
    Object.entries(pair).map(([verdict, file]) => {
      const path = `spec/vectors/evidence-${name}/${verdict}.json`;
      return { path, content: format(path, JSON.stringify(file)) };
    }),
  );
}
