// The reference pages: every option, the JSON Schema of the configuration file, and every error code.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { jsonSchema, referencePage } from "@catalyst/config";
import { nodeConfig } from "@catalyst/node";
import type { Generated } from "../generate.ts";

const root = join(import.meta.dirname, "..", "..");

export function generateReference(): readonly Generated[] {
  return [
    { path: "docs/reference/configuration.md", content: `${referencePage(nodeConfig).trimEnd()}\n` },
    {
      path: "docs/reference/catalyst.schema.json",
      content: `${JSON.stringify(jsonSchema(nodeConfig), null, 2)}\n`,
    },
    { path: "docs/reference/errors.md", content: errorReference() },
  ];
}

/** One section per package, from the documentation of its error codes: what each means and what to do. */
function errorReference(): string {
  const sections = readdirSync(join(root, "packages"))
    .sort()
    .flatMap((name) => {
      const codes = errorCodes(name);
      if (codes.length === 0) return [];
      const rows = codes.map(([code, text]) => `| \`${code}\` | ${text} |`);
      return [`## ${name}\n\n| code | what to do |\n|---|---|\n${rows.join("\n")}\n`];
    });
  return `# Errors\n\nEvery error has a code that stays the same from release to release, and a message with the particulars.\n\n${sections.join("\n")}`;
}

/** The codes that a package's `errors.ts` documents, as rows of a table or as a list; throws when one is missing. */
function errorCodes(name: string): [string, string][] {
  let source: string;
  try {
    source = readFileSync(join(root, "packages", name, "src", "errors.ts"), "utf8");
  } catch {
    return [];
  }
  const words = [...source.matchAll(/^ \* \| `(\w+)` \| (.+) \|$/gm)].map(
    (match) => [match[1], match[2]] as const,
  );
  const items = [...source.matchAll(/^ \* - `(\w+)`: ([\s\S]*?)(?=\n \* - |\n \*\/|\n \*\n)/gm)].map(
    (match) => [match[1], (match[2] ?? "").replace(/\n \*\s+/g, " ")] as const,
  );
  const documented = new Map<string, string>();
  for (const [code = "", text = ""] of [...words, ...items]) documented.set(code, text);
  const union = /export type \w+ErrorCode =([\s\S]*?);/.exec(source)?.[1] ?? "";
  const codes = [...union.matchAll(/"(\w+)"/g)].map((match) => match[1] ?? "");
  const missing = codes.filter((code) => !documented.has(code));
  if (missing.length > 0)
    throw new Error(`packages/${name}/src/errors.ts does not document ${missing.join(", ")}`);
  return codes.map((code) => [code, documented.get(code) ?? ""]);
}
