import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const root = join(import.meta.dirname, "..");

/** A fenced block, with what the comment before it says of it. */
type Block = { readonly language: string; readonly text: string; readonly note: string | null };

/**
 * The blocks of a document. A comment before a block says how it is run: `<!-- file: NAME -->` writes it,
 * `<!-- background: until COMMAND -->` starts it and waits until the command succeeds, `<!-- elsewhere: WHERE -->`
 * leaves it to another test.
 */
function blocksOf(document: string): Block[] {
  const pattern = /(?:<!-- (?<note>[^>]*?) -->\n)?```(?<language>[a-z]*)\n(?<text>[\s\S]*?)```/g;
  return [...document.matchAll(pattern)].map(({ groups = {} }) => ({
    language: groups["language"] ?? "",
    text: groups["text"] ?? "",
    note: groups["note"] ?? null,
  }));
}

/** The document that is typed with the `npx` that readers have. */
const withNpx = "README.md";

/** What `npx` runs of a checkout, without the second that npm needs to find it, and nothing from anywhere else. */
const direct = mkdtempSync(join(tmpdir(), "catalyst-npx-"));
writeFileSync(join(direct, "npx"), '#!/bin/sh\nname=$1\nshift\nexec "node_modules/.bin/$name" "$@"\n', {
  mode: 0o755,
});
after(() => rmSync(direct, { recursive: true }));

/** Where a document's commands are typed, and what finds the programs in them. */
type Terminal = { readonly folder: string; readonly path: string };

/** Where bash writes what it runs. */
const trace = 9;

function shell(text: string, { folder, path }: Terminal): ChildProcess {
  return spawn("bash", ["-x", "-e", "-o", "pipefail", "-c", text], {
    cwd: folder,
    env: { ...process.env, PATH: path, NO_COLOR: "1", BASH_XTRACEFD: String(trace) },
    // Documents have descriptors of their own, from 3 on.
    stdio: Array.from({ length: trace + 1 }, (_, fd) => ([1, 2, trace].includes(fd) ? "pipe" : "ignore")),
    detached: true,
  });
}

async function run(text: string, terminal: Terminal): Promise<{ code: number; output: string }> {
  const child = shell(text, terminal);
  let output = "";
  for (const stream of child.stdio) stream?.on("data", (chunk) => (output += chunk));
  const timer = setTimeout(() => end(child, "SIGKILL"), 120_000);
  const [code] = await once(child, "close");
  clearTimeout(timer);
  return { code: code ?? 1, output };
}

function end(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // it has ended
  }
}

/** What runs while the next commands are typed; closed is what all that it started has let go of. */
type Background = { readonly child: ChildProcess; readonly closed: Promise<unknown> };

/** Types a document's commands, in order, in a folder that looks like the checkout. */
async function follow(path: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-docs-"));
  for (const name of ["node_modules", "package.json", "examples", "setup", "packages", ".tools"]) {
    if (existsSync(join(root, name))) symlinkSync(join(root, name), join(folder, name));
  }
  const programs = [join(process.execPath, ".."), process.env["PATH"] ?? ""];
  const terminal = {
    folder: path.startsWith("docs/") ? folder : root,
    path: (path === withNpx ? programs : [direct, ...programs]).join(":"),
  };
  const background: Background[] = [];
  try {
    for (const block of blocksOf(readFileSync(join(root, path), "utf8"))) {
      await runBlock(block, terminal, background);
    }
  } finally {
    for (const { child, closed } of background.reverse()) {
      end(child, "SIGTERM");
      await closed;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runBlock(block: Block, terminal: Terminal, background: Background[]): Promise<void> {
  const [kind, rest = ""] = block.note?.split(/: (?:until )?(.*)/s) ?? [null];
  if (kind === "elsewhere") return;
  if (kind === "file") {
    writeFileSync(join(terminal.folder, rest), block.text);
    return;
  }
  if (block.language !== "sh") return;
  if (kind !== "background") {
    const { code, output } = await run(block.text, terminal);
    assert.equal(code, 0, `${block.text}\n${output}`);
    return;
  }
  const child = shell(block.text, terminal);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += chunk));
  background.push({ child, closed: once(child, "close") });
  const deadline = Date.now() + 60_000;
  while ((await run(rest, terminal)).code !== 0) {
    assert.ok(Date.now() < deadline && child.exitCode === null, `${block.text}\n${output}`);
    await sleep(300); // what is asked costs as much as what is waited for
  }
}

for (const path of [
  "README.md",
  "docs/how-to/run-a-node.md",
  "docs/how-to/services.md",
  "docs/how-to/graphql.md",
  "docs/how-to/api-keys.md",
  "docs/how-to/tokens.md",
  "docs/how-to/enrol-a-node.md",
  "docs/how-to/peers.md",
  "docs/how-to/tcp.md",
  "docs/how-to/receipts.md",
  "docs/how-to/content.md",
  "docs/how-to/stars.md",
  "examples/README.md",
]) {
  test(`what ${path} tells a reader to type works`, () => follow(path));
}
