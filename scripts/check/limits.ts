// Checks what style.md asks for and no other tool looks at: names of files, and errors without a code.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Fault, report } from "./fault.ts";

const sources = "{packages,examples,scripts,bench,test,setup}/**/*.{ts,js,mjs}";
const excluded = ["**/node_modules/**", "**/generated/**", "bench/peers/**"];

/** Names that say nothing of what is inside, alone or as a part. */
const emptyName = /(?:^|-)(?:utils?|helpers?|common|types|shared|misc|manager)(?:-|$)/;
const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|d))?$/;

/** All that breaks a limit. */
export function limitFaults(root: string): Fault[] {
  return globSync(sources, { cwd: root, exclude: excluded })
    .sort()
    .flatMap((path) => [...nameFaults(path), ...errorFaults(path, readFileSync(join(root, path), "utf8"))]);
}

function nameFaults(path: string): Fault[] {
  const name = basename(path).replace(/\.[a-z]+$/, "");
  if (!kebabCase.test(name)) return [{ path, message: "is not named in kebab-case" }];
  if (emptyName.test(name)) return [{ path, message: "is named after nothing: name the concept inside" }];
  return [];
}

/** An error that leaves a package has a code of it; only what cannot happen may go without, and what is a test's. */
function errorFaults(path: string, text: string): Fault[] {
  if (!/^packages\/(?!harness\/)[^/]+\/src\//.test(path) || /\.test\.ts$|\/test-|-contract\.ts$/.test(path))
    return [];
  return text.split("\n").flatMap((content, index) => {
    if (!/\bthrow new Error\(/.test(content)) return [];
    return /\bunreachable\b/.test(content)
      ? []
      : [{ path, line: index + 1, message: "throws an error without a code of its package" }];
  });
}

if (import.meta.main) report(limitFaults(join(import.meta.dirname, "..", "..")));
