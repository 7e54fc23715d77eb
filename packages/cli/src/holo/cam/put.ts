import { existsSync } from "node:fs";
import { type PutAnswer, type PutBytes, putBytes, RpcError, socketPath } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { formatBytes } from "../../byte-size.ts";
import { type CommandContext, unreachable } from "../../context.ts";
import { CommandError, exitCode } from "../../exit-code.ts";
import { onInterruption } from "../../interruption.ts";
import { printRows } from "../../output.ts";
import { type Progress, showProgress } from "../../progress.ts";
import { clipMiddle, renderTable } from "../../table.ts";
import { verifyingCommands, writeBundles } from "../receipt-bundle.ts";
import { contentLog, findReceipts } from "../receipt-log.ts";
import { findSources, type NamingOptions, type PutSource } from "./put-source.ts";

export type PutOptions = NamingOptions & {
  readonly namespace: string;
  readonly pin?: "hot" | "warm" | "cold";
  readonly leafSize?: keyof typeof leafSizeNames;
  readonly chunked?: boolean;
  readonly receipt?: string;
  readonly quiet?: boolean;
};

/** The sizes of leaves, as they are typed. */
export const leafSizeNames = { "16KiB": "16384", "64KiB": "65536", "256KiB": "262144" } as const;

/** Files on their way at once: small ones are mostly spent waiting for the disk. */
const mostAtOnce = 8;

/** What the columns beside the last take: a CID, two sizes, and what is between. */
const besideNames = 86;
const narrowestName = 8;

type PutRow = PutAnswer & { readonly file: string; readonly name: string | null };

/** `holo cam put FILE…`: what was stored before one failed is told too. */
export async function putFiles(
  context: CommandContext,
  options: PutOptions,
  files: readonly string[],
): Promise<void> {
  const { printer, format, dataDir } = context;
  if (options.receipt !== undefined && existsSync(options.receipt)) {
    throw new CommandError(exitCode.usage, `${options.receipt} is there already: name another file`);
  }
  if (files.includes("-") && process.stdin.isTTY) printer.talk("Reading from the terminal: Ctrl-D ends it.");
  const { sources, skipped } = await findSources(files, options, process.stdin);
  if (skipped > 0) {
    printer.talk(
      skipped === 1
        ? "1 link or special file is left out."
        : `${skipped} links and special files are left out.`,
    );
  }
  const rows: PutRow[] = [];
  try {
    await putAll(context, options, sources, rows);
  } finally {
    if (files.includes("-")) process.stdin.destroy(); // or the program would wait for its end
    const quiet = options.quiet === true;
    printRows(printer, format, rows, () =>
      quiet ? rows.map(({ cid }) => cid) : tableOf(rows, printer.width()),
    );
  }
  if (options.receipt === undefined) return;
  const receipts = new Set(rows.map(({ receipt }) => receipt));
  const found = await findReceipts(contentLog(dataDir), ({ cid }) => receipts.has(cid));
  const written = await writeBundles({ dataDir, found, out: options.receipt });
  for (const command of verifyingCommands(written)) printer.talk(`Verify the receipt with: ${command}`);
}

async function putAll(
  context: CommandContext,
  options: PutOptions,
  sources: readonly PutSource[],
  rows: PutRow[],
): Promise<void> {
  using progress = showProgress(context.printer);
  using interruption = onInterruption("Interrupted: what is not told above was not stored.");
  const tell = totals(progress, sources);
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, interruption.signal]);
  const done: (PutRow | undefined)[] = sources.map(() => undefined);
  const queue = sources.entries();
  let failure: { readonly error: unknown } | null = null;
  const work = async () => {
    for (const [at, source] of queue) {
      try {
        done[at] = await putOne(context, options, source, { tell, signal });
        tell(0, 1);
      } catch (error) {
        failure ??= { error: named(error, source, context, sources.length > 1) };
        controller.abort();
      }
      if (signal.aborted) return;
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
  rows.push(...done.filter((row) => row !== undefined));
  interruption.signal.throwIfAborted();
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
}

type Tell = (bytes: number, files?: number) => void;

function totals(progress: Progress, sources: readonly PutSource[]): Tell {
  const sizes = sources.map(({ sizeBytes }) => sizeBytes);
  const totalBytes = sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const label = sources.length === 1 ? `put ${sources[0]?.file}` : "put";
  let bytes = 0;
  let files = 0;
  return (more, ended = 0) => {
    bytes += more;
    files += ended;
    const counted = sources.length === 1 ? {} : { counted: `${files} of ${sources.length} files` };
    progress.update({ label, bytes, totalBytes, ...counted });
  };
}

async function putOne(
  { dataDir }: CommandContext,
  options: PutOptions,
  source: PutSource,
  { tell, signal }: { readonly tell: Tell; readonly signal: AbortSignal },
): Promise<PutRow> {
  const { namespace, leafSize, expected, pin, chunked } = options;
  const request: PutBytes = {
    socketPath: socketPath(dataDir, "content"),
    bytes: counting(source.open(), tell),
    signal,
    namespace,
    ...(leafSize === undefined ? {} : { leafSize: leafSizeNames[leafSize] }),
    ...(expected === undefined ? {} : { expected }),
    ...(source.name === null ? {} : { name: source.name }),
    ...(pin === undefined ? {} : { pin }),
    ...(chunked === true ? { chunked: "true" } : {}),
  };
  return { file: source.file, name: source.name, ...(await putBytes(request)) };
}

async function* counting(bytes: AsyncIterable<Uint8Array>, tell: Tell): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    yield piece;
    tell(piece.length);
  }
}

/** The failure with the file that it befell, where there are several. */
function named(error: unknown, { file }: PutSource, { dataDir }: CommandContext, several: boolean): unknown {
  if (!(error instanceof RpcError)) return error;
  if (error.code === "unreachable") return unreachable(dataDir, "content", error);
  return several ? new RpcError(error.code, `${file}: ${error.message}`, { cause: error }) : error;
}

/** Either all of them have names, or none has. */
function tableOf(rows: readonly PutRow[], width = Number.POSITIVE_INFINITY): readonly string[] {
  if (rows.length === 0) return [];
  const last = rows.every(({ name }) => name === null) ? "FILE" : "NAME";
  const longest = Math.max(narrowestName, width - besideNames);
  return renderTable(
    ["CID", "SIZE", "NEW", last],
    rows.map(({ cid, sizeBytes, addedBytes, name, file }) => [
      cid,
      formatBytes(sizeBytes),
      formatBytes(addedBytes),
      clipMiddle(visible(name ?? file), longest),
    ]),
    width,
  );
}
