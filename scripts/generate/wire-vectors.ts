// The good vectors of spec/wire.md, from what is written down in scripts/generate/wire. The bad ones are written by
// hand, beside them. That the bytes are right is shown by other implementations: see the tests of packages/wire.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Generated } from "../generate.ts";
import { cborVectors } from "./wire/cbor.ts";
import { cidVectors } from "./wire/cid.ts";
import { frameVectors } from "./wire/frame.ts";
import { sliceVectors, treeVectors } from "./wire/tree.ts";

const root = join(import.meta.dirname, "..", "..");

/** A file of vectors: what it shows, and one entry for each case. */
export type VectorFile = { readonly about: string; readonly vectors: readonly object[] };

export function generateWireVectors(): readonly Generated[] {
  const files: Readonly<Record<string, VectorFile>> = {
    cbor: cborVectors(),
    cid: cidVectors(),
    frame: frameVectors(),
    slice: sliceVectors(),
    tree: treeVectors(),
  };
  return Object.entries(files).map(([message, file]) => {
    const path = `spec/vectors/${message}/good.json`;
    return { path, content: format(path, JSON.stringify(file)) };
  });
}

/** JSON as the formatter of the checkout wants it. */
export function format(path: string, text: string): string {
  const biome = join(root, "node_modules/.bin/biome");
  const { status, stdout, stderr } = spawnSync(biome, ["format", `--stdin-file-path=${path}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`biome failed: ${stderr}`);
  return stdout;
}
