import { hash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import {
  Nucleus,
  type RelayPolicy,
  readStarPath,
  replicateTree,
  StarError,
  type StarPath,
  type TreeProgress,
} from "@catalyst/star";
import { visible } from "@catalyst/wire";
import { type Command, Option } from "commander";
import { formatBytes } from "../byte-size.ts";
import { environment } from "../environment.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { required, unknownWord } from "../given.ts";
import { onInterruption } from "../interruption.ts";
import { loadNode } from "../load.ts";
import { type OutputFormat, outputFormats, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { type ProgressState, showProgress } from "../progress.ts";
import { collect } from "../roots.ts";
import { type TlsFlags, tlsFilesOf } from "../tls-flags.ts";

type Options = TlsFlags & {
  readonly from?: string;
  readonly to?: string;
  readonly source?: readonly string[];
  /** SHA-256, 32 bytes. */
  readonly checksum?: Uint8Array;
  readonly size?: number;
  readonly resume?: boolean;
  readonly verify?: boolean;
  readonly relay: RelayPolicy;
  readonly recursive?: boolean;
  readonly preserve?: boolean;
  readonly manifest?: string;
  readonly config?: string;
  readonly output: OutputFormat;
};

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

/** `catalyst replicate`: has files go from star to star. */
export function addReplicate(program: Command, printer: Printer): void {
  program
    .command("replicate")
    .description("have a file, or a folder, go from one star to another")
    .option(
      "--from <star:path>",
      "where it is: a star's name in the configuration or host:port, and a path on it",
    )
    .option("--to <star:path>", "where it is to stand")
    .option("--source <star:path>", "another star that has the same; repeatable", collect)
    .option("--checksum <sha256>", "the SHA-256 that the file must have: 64 hexadecimal digits", checksumOf)
    .option("--size <bytes>", "how many bytes the file must have", sizeOf)
    .option("--resume", "use what an earlier attempt left")
    .option("--verify", "compare the BLAKE3 digests of both afterwards")
    .addOption(
      new Option(
        "--relay <policy>",
        "whether the bytes go through here where the stars cannot do it between them",
      )
        .choices(["auto", "never", "always"])
        .default("auto"),
    )
    .addOption(new Option("--recursive", "all files below a folder").conflicts(["checksum", "size"]))
    .option("--preserve", "with --recursive: the files keep their modes and times")
    .option("--manifest <file>", "with --recursive: where what is done is noted, for --resume")
    .option(
      "--tls-authorities <file>",
      "whom https stars have their certificates of, PEM (ORBIT_TLS_AUTHORITIES)",
    )
    .option(
      "--tls-certificate <file>",
      "what is shown to stars that ask for a certificate, PEM (ORBIT_TLS_CERTIFICATE)",
    )
    .option("--tls-key <file>", "the key of the certificate, PEM (ORBIT_TLS_KEY)")
    .option("--config <file>", "configuration file with the section star")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .option("-q, --quiet", "print nothing but data and errors")
    .action((options: Options) => replicate(printer, options));
}

async function replicate(printer: Printer, options: Options): Promise<void> {
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

/** Nothing has zero bytes expected of it: for stars that means that nothing is. */
function sizeOf(text: string): number {
  const size = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(size) && size > 0) return size;
  throw new CommandError(
    exitCode.usage,
    `--size is a whole number of bytes, at least 1, not "${visible(text)}"`,
  );
}

function checksumOf(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  throw new CommandError(
    exitCode.usage,
    `--checksum is a SHA-256 of 64 hexadecimal digits, not "${visible(text)}"`,
  );
}

type Order = Parameters<Nucleus["replicate"]>[0];

async function replicateFile(
  printer: Printer,
  nucleus: Nucleus,
  order: Order,
  options: Options,
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
  options: Options,
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
function manifestOf({ from, to }: Options): string {
  const state = environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(
    state,
    "catalyst",
    `replicate-${hash("sha256", JSON.stringify([from, to])).slice(0, 16)}.jsonl`,
  );
}
