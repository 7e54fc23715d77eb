import { hash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import {
  Nucleus,
  readStarPath,
  replicateTree,
  StarError,
  type StarPath,
  type TreeProgress,
} from "@catalyst/star";
import { visible } from "@catalyst/wire";
import { formatBytes } from "./byte-size.ts";
import type { ReplicateFlags } from "./commands/replicate.ts";
import { environment } from "./environment.ts";
import { CommandError, exitCode } from "./exit-code.ts";
import { required, unknownWord } from "./given.ts";
import { onInterruption } from "./interruption.ts";
import { loadNode } from "./load.ts";
import { printValue } from "./output.ts";
import type { Printer } from "./printer.ts";
import { type ProgressState, showProgress } from "./progress.ts";
import { tlsFilesOf } from "./tls-flags.ts";

/** By the gRPC status of a refusal. */
const exitCodes: Readonly<Record<number, number>> = {
  3: exitCode.usage, // INVALID_ARGUMENT
  4: exitCode.temporary, // DEADLINE_EXCEEDED
  5: exitCode.notFound, // NOT_FOUND
  7: exitCode.denied, // PERMISSION_DENIED
  8: exitCode.temporary, // RESOURCE_EXHAUSTED
  10: exitCode.temporary, // ABORTED
  14: exitCode.temporary, // UNAVAILABLE
  16: exitCode.denied, // UNAUTHENTICATED
};

/** Has a file or a folder go from star to star. Throws {@link CommandError}. */
export async function replicate(printer: Printer, options: ReplicateFlags): Promise<void> {
  const { source = [], relay, resume = false, verify = false } = options;
  const from = required("--from", options.from, "--from STAR:PATH");
  const to = required("--to", options.to, "--to STAR:PATH");
  for (const flag of ["preserve", "manifest"] as const) {
    if (options[flag] === undefined || options.recursive === true) continue;
    throw new CommandError(exitCode.usage, `--${flag} is for folders: give --recursive too`);
  }
  const { config } = loadNode(options.config, []);
  const { stars } = config.star;
  const authSecret = environment["ORBIT_AUTH_SECRET"] || (config.star.authSecret ?? "");
  if (authSecret === "") {
    throw new CommandError(
      exitCode.usage,
      "Transfer tokens need a secret: the variable ORBIT_AUTH_SECRET, or star.authSecret",
    );
  }
  const known = new Map(stars.map((star) => [star.name, star]));
  const pathOf = (text: string): StarPath => {
    const { star: name, path } = readStarPath(text);
    const {
      url = name,
      token = environment["ORBIT_STAR_TOKEN"] ?? "",
      authoritiesFile,
    } = known.get(name) ?? {};
    if (!known.has(name) && !/:\d+$/.test(name)) throw unknownStar(name, [...known.keys()]);
    return { star: { url, token, authoritiesFile }, path };
  };
  await using nucleus = new Nucleus({ authSecret, tls: tlsFilesOf(options, config.star.tls) });
  using interruption = onInterruption("given up: with --resume it goes on where it was");
  try {
    const order = {
      ...{ from: pathOf(from), to: pathOf(to), sources: source.map(pathOf), relay, resume, verify },
      signal: interruption.signal,
      onRelay: (why: string) => printer.talk(`The bytes go through here: ${visible(why)}.`),
    };
    if (source.length > 0 && options.checksum === undefined) {
      // No star tells the SHA-256 of a file without sending it, and by no other digest a destination puts parts together.
      const hint = options.recursive === true ? "" : "; with --checksum all at once";
      printer.talk(`The sources of a file are used one after the other${hint}.`);
    }
    if (options.recursive === true) await replicateFolder(printer, nucleus, order, options);
    else await replicateFile(printer, nucleus, order, options);
  } catch (error) {
    interruption.signal.throwIfAborted();
    if (!(error instanceof StarError)) throw error;
    throw new CommandError(
      exitCodes[error.status] ?? exitCode.failed,
      visible(`${error.message} (${error.code})`),
    );
  }
}

/** What is neither of the configuration nor an address, which has a port. */
function unknownStar(name: string, known: readonly string[]): CommandError {
  if (known.length > 0) return unknownWord("star", name, known);
  const words = `"${visible(name)}" is no star of the configuration, which has none: write host:port, or give --config`;
  return new CommandError(exitCode.usage, words);
}

type Order = Parameters<Nucleus["replicate"]>[0];

async function replicateFile(
  printer: Printer,
  nucleus: Nucleus,
  order: Order,
  options: ReplicateFlags,
): Promise<void> {
  const { output, checksum, size } = options;
  const began = performance.now();
  const done = await showing(printer, `replicate ${order.from.path}`, (show) =>
    nucleus.replicate({
      ...order,
      ...(checksum === undefined ? {} : { expectedChecksum: checksum }),
      ...(size === undefined ? {} : { expectedSize: size }),
      ...(printer.interactive ? { onProgress: show } : {}),
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  printValue(printer, output, { ...done, seconds }, () => [
    `${formatBytes(done.bytes)} in ${seconds.toFixed(1)} s, ${formatBytes(Math.round((done.bytes - done.resumed) / seconds))}/s` +
      (done.resumed > 0 ? `, ${formatBytes(done.resumed)} were there already` : ""),
    `SHA-256 ${visible(done.checksum)}`,
    ...(order.verify === true ? ["compared afterwards by BLAKE3: the same"] : []),
  ]);
}

async function replicateFolder(
  printer: Printer,
  nucleus: Nucleus,
  order: Order,
  options: ReplicateFlags,
): Promise<void> {
  const { preserve = false, output } = options;
  const began = performance.now();
  let isTold = false;
  const done = await showing(printer, `replicate ${order.from.path}`, (show) =>
    replicateTree(nucleus, {
      ...order,
      preserve,
      manifestFile: options.manifest ?? manifestOf(options),
      onRelay: (why) => {
        if (!isTold) order.onRelay?.(why);
        isTold = true;
      },
      ...(printer.interactive ? { onProgress: (state) => show(treeState(state)) } : {}),
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  const failed = done.failed.map(({ path, error }) => ({ path, code: error.code, message: error.message }));
  printValue(printer, output, { ...done, failed, seconds }, () => [
    `${done.files} files, ${formatBytes(done.bytes)}, in ${seconds.toFixed(1)} s` +
      (done.skipped > 0 ? `; ${done.skipped} stood there already` : "") +
      (order.verify === true ? "; what came was compared by BLAKE3" : ""),
  ]);
  if (failed.length === 0) return;
  const first = failed.slice(0, 10).map(({ path, message, code }) => `  ${path}: ${message} (${code})`);
  const words = `${failed.length} files failed; with --resume the others are not done again:\n${first.join("\n")}`;
  throw new CommandError(exitCode.failed, words.split("\n").map(visible).join("\n"));
}

function treeState({ files, bytes, totalFiles, totalBytes }: TreeProgress): Omit<ProgressState, "label"> {
  const counted = totalFiles === null ? `${files} files` : `${files} of ${totalFiles} files`;
  return { bytes, totalBytes, counted };
}

/** Shows how far something is for as long as it runs: what is printed afterwards stands where that was. */
async function showing<Done>(
  printer: Printer,
  label: string,
  run: (show: (state: Omit<ProgressState, "label">) => void) => Promise<Done>,
): Promise<Done> {
  using progress = showProgress(printer);
  return await run((state) => progress.update({ label, ...state }));
}

/** By default one for each pair of folders, where the system wants what programs keep for later. */
function manifestOf({ from, to }: ReplicateFlags): string {
  const state = environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(
    state,
    "catalyst",
    `replicate-${hash("sha256", JSON.stringify([from, to])).slice(0, 16)}.jsonl`,
  );
}
