// Writes every generated file of the checkout; with --check, only compares and fails on a difference.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { generateContentVectors } from "./generate/content-vectors.ts";
import { generateEnrolmentVectors } from "./generate/enrolment-vectors.ts";
import { generateEvidenceVectors } from "./generate/evidence-vectors.ts";
import { generateGoStar } from "./generate/go-star.ts";
import { generateInvitationVectors } from "./generate/invitation-vectors.ts";
import { generatePeeringVectors } from "./generate/peering-vectors.ts";
import { generateReference } from "./generate/reference.ts";
import { generateSessionVectors } from "./generate/session-vectors.ts";
import { generateStarApi } from "./generate/star-api.ts";
import { generateWireVectors } from "./generate/wire-vectors.ts";
import { generateXdsApi } from "./generate/xds-api.ts";

/** A generated file: its path from the root of the checkout, and its content. */
export type Generated = { readonly path: string; readonly content: string };

/** A generator: the files that it writes, and the folders that hold nothing but its files. */
type Generator = {
  readonly folders: readonly string[];
  readonly run: (how: { readonly check: boolean }) => readonly Generated[] | Promise<readonly Generated[]>;
};

const generators: readonly Generator[] = [
  { folders: ["packages/xds/generated"], run: generateXdsApi },
  { folders: ["packages/star/generated"], run: generateStarApi },
  { folders: [], run: generateGoStar },
  { folders: ["docs/reference"], run: generateReference },
  { folders: [], run: generateWireVectors },
  { folders: [], run: generateContentVectors },
  { folders: [], run: generateEvidenceVectors },
  { folders: ["spec/vectors/enrolment"], run: generateEnrolmentVectors },
  { folders: ["spec/vectors/invitation"], run: generateInvitationVectors },
  { folders: ["spec/vectors/peering"], run: generatePeeringVectors },
  { folders: ["spec/vectors/session"], run: generateSessionVectors },
];

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");
const differences: string[] = [];

for (const generator of generators) {
  const files = await generator.run({ check });
  const wanted = new Map(files.map((file) => [file.path, file.content]));
  for (const folder of generator.folders) {
    for (const path of filesBelow(join(root, folder))) {
      const name = relative(root, path);
      if (wanted.has(name)) continue;
      differences.push(`${name} is no longer generated`);
      if (!check) rmSync(path);
    }
  }
  for (const [path, content] of wanted) {
    const target = join(root, path);
    if (existsSync(target) && readFileSync(target, "utf8") === content) continue;
    differences.push(`${path} differs`);
    if (check) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
}

if (check && differences.length > 0) {
  console.error(
    `Generated files are out of date; run \`npm run generate\`:\n  ${differences.slice(0, 20).join("\n  ")}`,
  );
  process.exit(1);
}
console.log(check ? "Generated files are up to date." : `${differences.length} generated files changed.`);

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}
