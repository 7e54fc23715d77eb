import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const packages = join(import.meta.dirname, "../..");

/**
 * What of Node a source file uses, it or anything that it imports at run time: modules that are neither files nor
 * portable doors of ours, and globals. Throws when it imports less than a few files: then the search is broken.
 */
export function nodeUses(path: string): readonly string[] {
  const reached = reach(path, new Set());
  const files = [...reached].filter((name) => existsSync(name));
  if (files.length < 5) throw new Error(`only ${files.length} files were found below ${path}`);
  const modules = [...reached].filter((name) => !existsSync(name));
  const globals = files.filter((file) => {
    const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    return /\b(?:Buffer|process|require)\b/.test(code);
  });
  return [...modules, ...globals];
}

function reach(path: string, seen: Set<string>): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!existsSync(path)) return seen;
  const imports = readFileSync(path, "utf8").matchAll(/^(?:import|export) (?!type )[^;]*? from "([^"]+)"/gm);
  for (const [, name = ""] of imports) reach(resolved(path, name), seen);
  return seen;
}

function resolved(from: string, name: string): string {
  if (name.startsWith(".")) return join(dirname(from), name);
  const door = /^@catalyst\/([a-z]+)\/portable$/.exec(name)?.[1];
  return door === undefined ? name : join(packages, door, "src/portable.ts");
}
