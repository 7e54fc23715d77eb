// The good vectors of spec/content.md, from what is written down in scripts/generate/content. The bad ones are written
// by hand, beside them.
import type { Generated } from "../generate.ts";
import { chunkVectors } from "./content/chunk.ts";
import { manifestVectors } from "./content/manifest.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

export async function generateContentVectors(): Promise<readonly Generated[]> {
  const files: Readonly<Record<string, VectorFile>> = {
    chunk: await chunkVectors(),
    manifest: manifestVectors(),
  };
  return Object.entries(files).map(([message, file]) => {
    const path = `spec/vectors/${message}/good.json`;
    return { path, content: format(path, JSON.stringify(file)) };
  });
}
