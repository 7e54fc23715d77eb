// The vectors of spec/peering.md, from what is written down in scripts/generate/peering: what is expected is written
// there by hand, and only bytes are made here.
import type { Generated } from "../generate.ts";
import { attributesVectors } from "./peering/attributes.ts";
import { bestPathVectors } from "./peering/best-path.ts";
import { exportVectors, importVectors } from "./peering/judgement.ts";
import { messageVectors } from "./peering/message.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

export function generatePeeringVectors(): readonly Generated[] {
  const files: Readonly<Record<string, VectorFile>> = {
    "message/good": messageVectors.good,
    "message/bad": messageVectors.bad,
    "attributes/good": attributesVectors.good,
    "attributes/bad": attributesVectors.bad,
    "import/cases": importVectors,
    "export/cases": exportVectors,
    "best-path/cases": bestPathVectors,
  };
  return Object.entries(files).map(([name, file]) => {
    const path = `spec/vectors/peering/${name}.json`;
    return { path, content: format(path, JSON.stringify(file)) };
  });
}
