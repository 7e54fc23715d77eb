// Checks who imports whom: a package's sources may import only the packages listed for it here, and everything
// that they import from outside is declared in its package.json. The folders of `node`, which is as large as all the
// others, are held to a table of their own. ARCHITECTURE.md shows the same tables to people. Changing who may import
// which package takes a page in docs/adr.
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type Fault, report } from "./fault.ts";

const below: Readonly<Record<string, readonly string[]>> = {
  config: [],
  telemetry: ["config"],
  durable: [],
  rpc: ["telemetry", "wire"],
  wire: [],
  identity: ["config", "durable", "wire"],
  evidence: ["durable", "identity", "wire"],
  session: ["config", "identity", "telemetry", "wire"],
  store: ["config", "durable", "wire"],
  peering: ["wire"],
  xds: ["durable"],
  gateway: ["config", "durable", "rpc", "telemetry"],
  envoy: ["rpc", "xds"],
  star: ["config", "durable", "telemetry"],
  sdk: ["rpc", "star", "telemetry"],
  node: [
    "config",
    "durable",
    "envoy",
    "evidence",
    "gateway",
    "identity",
    "peering",
    "rpc",
    "session",
    "star",
    "store",
    "telemetry",
    "wire",
    "xds",
  ],
  cli: ["config", "evidence", "identity", "node", "rpc", "star", "telemetry", "wire"],
  harness: ["rpc"],
};

/**
 * The folders of `packages/node/src`: each may import those listed, which stand above it, and the files that are in no
 * folder but the door. So there is no circle among them.
 */
const foldersOfNode: Readonly<Record<string, readonly string[]>> = {
  identity: [],
  audit: ["identity"],
  services: [],
  peers: ["audit", "identity"],
  routes: ["identity", "peers", "services"],
  orchestrator: ["identity", "peers", "routes", "services"],
  gateway: [],
  content: ["audit"],
  "auth/credentials": ["audit", "identity"],
  "auth/certificates": ["auth/credentials", "identity"],
  "auth/root": ["audit", "auth/certificates", "auth/credentials", "identity"],
  "auth/member": ["audit", "auth/certificates", "auth/credentials", "identity"],
  auth: ["auth/member", "auth/root"],
  supervisor: ["identity"],
};

type Manifest = { dependencies?: Record<string, string>; devDependencies?: Record<string, string> };

const imported = [
  /^(?:import|export)\s[^"';]*?\sfrom "([^"]+)";/gm,
  /^import "([^"]+)";/gm,
  /\bimport\("([^"]+)"\)/g,
];

/** All that a package imports against the table and against its package.json, and what it declares in vain. */
export function arrowFaults(root: string, table = below): Fault[] {
  const development = Object.keys(manifestOf(root).devDependencies ?? {});
  const packages = globSync("packages/*/package.json", { cwd: root }).map((path) => path.split("/")[1] ?? "");
  return packages.sort().flatMap((name) => {
    const allowed = table[name];
    const path = `packages/${name}`;
    return allowed === undefined
      ? [{ path, message: "is not in the table of scripts/check/arrows.ts" }]
      : packageFaults(root, name, allowed, development);
  });
}

function packageFaults(
  root: string,
  name: string,
  allowed: readonly string[],
  development: string[],
): Fault[] {
  const folder = `packages/${name}`;
  const manifest = manifestOf(join(root, folder));
  const declared = Object.keys(manifest.dependencies ?? {});
  const forTests = [...declared, ...Object.keys(manifest.devDependencies ?? {}), ...development];
  const used = new Set<string>();
  const faults: Fault[] = [];
  for (const path of globSync(`${folder}/{src,bin,test}/**/*.{ts,js}`, { cwd: root }).sort()) {
    const inTest = isTest(path);
    for (const { specifier, line } of importsOf(root, path)) {
      const target = packageOf(specifier);
      if (!inTest && target !== null) used.add(target);
      const message = judge(path, specifier, target, {
        folder,
        allowed,
        declared: inTest ? forTests : declared,
        inTest,
      });
      if (message !== null) faults.push({ path, line, message });
    }
  }
  const idle = declared.filter((dependency) => !used.has(dependency));
  const inVain = idle.map((dependency) => `declares ${dependency}, which its sources do not import`);
  return [...faults, ...inVain.map((message) => ({ path: `${folder}/package.json`, message }))];
}

/** All that the folders of a package import against their table. */
export function folderFaults(root: string, table = foldersOfNode, source = "packages/node/src"): Fault[] {
  const folders = Object.keys(table);
  const upward = folders.flatMap((folder, row) =>
    (table[folder] ?? [])
      .filter((other) => !folders.slice(0, row).includes(other))
      .map((other) => ({ path: `${source}/${folder}`, message: `imports ${other}, which is not above it` })),
  );
  const crossing = globSync(`${source}/**/*.ts`, { cwd: root })
    .sort()
    .filter((path) => !isTest(path) && path !== `${source}/index.ts`)
    .flatMap((path) => {
      const from = relative(source, dirname(path));
      const allowed = ["", from, ...(table[from] ?? [])];
      if (from !== "" && table[from] === undefined) {
        return [{ path, message: `${from} is not in the table of scripts/check/arrows.ts` }];
      }
      return importsOf(root, path).flatMap(({ specifier, line }) => {
        const target = join(dirname(path), specifier);
        if (!specifier.startsWith(".") || relative(source, target).startsWith("..")) return [];
        const isDoor = target === `${source}/index.ts`;
        if (!isDoor && allowed.includes(relative(source, dirname(target)))) return [];
        return [{ path, line, message: `may not import ${specifier}` }];
      });
    });
  return [...upward, ...crossing];
}

/** Where a table that people read says something else than the one that is checked. */
export function shownTableFaults(root: string, table = below, row = packageRow): Fault[] {
  const path = "ARCHITECTURE.md";
  const shown = new Map(
    Array.from(readFileSync(join(root, path), "utf8").matchAll(row), ([, name = "", imports = ""]) => [
      name,
      imports.replaceAll("`", ""),
    ]),
  );
  const names = new Set([...Object.keys(table), ...shown.keys()]);
  return [...names].flatMap((name) => {
    const allowed = table[name]?.toSorted().join(", ");
    if (shown.get(name) === allowed) return [];
    const said = shown.has(name) ? `says "${shown.get(name)}"` : "has no row";
    const held = allowed === undefined ? "does not know it" : `allows "${allowed}"`;
    return [{ path, message: `for ${name} ${said}, and scripts/check/arrows.ts ${held}` }];
  });
}

const packageRow = /^\| (?:\d|dev) \| `(\w+)` \|[^|]*\| ?([^|]*?) ?\|$/gm;
const folderRow = /^\| `([\w/]+)\/` \|[^|]*\| ?([^|]*?) ?\|$/gm;

type Rules = { folder: string; allowed: readonly string[]; declared: readonly string[]; inTest: boolean };

/** What is wrong with one import; null when nothing is. */
function judge(path: string, specifier: string, target: string | null, rules: Rules): string | null {
  if (target === null) {
    const inside = !relative(rules.folder, join(path, "..", specifier)).startsWith("..");
    return specifier.startsWith(".") && !inside && !rules.inTest
      ? `reaches out of its package: ${specifier}`
      : null;
  }
  const own = target.startsWith("@catalyst/") ? target.slice("@catalyst/".length) : null;
  if (own !== null && rules.inTest) return null;
  if (own !== null && !rules.allowed.includes(own)) return `may not import ${target}`;
  return rules.declared.includes(target)
    ? null
    : `imports ${target}, which its package.json does not declare`;
}

function isTest(path: string): boolean {
  if (path.startsWith("packages/harness/")) return false;
  return (
    /\/test(?:ing)?\//.test(path) || /\.test\.ts$|-contract\.ts$|^test-|^testing\.ts$/.test(basename(path))
  );
}

function importsOf(root: string, path: string): { specifier: string; line: number }[] {
  const text = readFileSync(join(root, path), "utf8");
  return imported.flatMap((pattern) =>
    Array.from(text.matchAll(pattern), ({ index, 0: statement, 1: specifier = "" }) => ({
      specifier,
      line: text.slice(0, index + statement.length).split("\n").length,
    })),
  );
}

/** `@scope/name` or `name`; null for a relative path or a module of Node. */
function packageOf(specifier: string): string | null {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return null;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function manifestOf(folder: string): Manifest {
  const path = resolve(folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : {};
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..", "..");
  report([
    ...arrowFaults(root),
    ...shownTableFaults(root),
    ...folderFaults(root),
    ...shownTableFaults(root, foldersOfNode, folderRow),
  ]);
}
