import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import {
  type AuditHead,
  EvidenceError,
  formatAuditHead,
  parseAuditHead,
  type VerifyAuditOptions,
  verifyAudit,
} from "@catalyst/evidence";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { loadNode } from "../load.ts";
import { type OutputFormat, outputFormats, printRows } from "../output.ts";
import type { Printer } from "../printer.ts";
import { collect, type TrustFlags, trustOf, withTrust } from "../roots.ts";
import { renderTable } from "../table.ts";

type AuditOptions = TrustFlags & { folder?: string; head?: readonly string[]; output: OutputFormat };

/** One log, as it is printed. */
type LogRow = {
  readonly log: string;
  readonly entries: number;
  readonly receipts: number;
  readonly receiptsVerified: boolean;
  readonly actions: number;
  readonly setAside: readonly string[];
  readonly head: string;
};

/** `catalyst audit`: the logs of receipts and of what operators did. */
export function addAudit(program: Command, printer: Printer): void {
  const command = program
    .command("audit")
    .description("the logs of receipts and of what operators did")
    .command("verify")
    .description(
      "check that no entry was changed, removed or moved, verify the receipts, and print where each log ends",
    )
    .option(
      "--folder <folder>",
      "the folder of one log (default: each process's, in the node's data directory)",
    )
    .option(
      "--head <head>",
      "a head that was printed before: the log must still hold it; repeatable",
      collect,
    );
  withTrust(command, "the configuration of the node whose logs they are; its auth.trust.roots are believed")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .action((options: AuditOptions) => verifyLogs(printer, options));
}

async function verifyLogs(printer: Printer, options: AuditOptions): Promise<void> {
  const folders = options.folder === undefined ? logsOf(options) : [options.folder];
  const known = (options.head ?? []).map(readHead);
  if (known.length > 0 && folders.length > 1) {
    throw new CommandError(
      exitCode.usage,
      `--head is of one log: name it with --folder, of ${folders.join(", ")}`,
    );
  }
  const trust = trustOf(options);
  const how: VerifyAuditOptions = { known, ...(trust.roots.length > 0 ? { trust } : {}) };
  const rows: LogRow[] = [];
  for (const folder of folders) rows.push(await rowOf(folder, how));
  printRows(printer, options.output, rows, () => tableOf(rows));
  if (trust.roots.length > 0 || rows.every(({ receipts }) => receipts === 0)) return;
  printer.talk("The receipts were not verified: say who is believed with --root, or auth.trust.roots.");
}

/** The logs of a node: each of its processes has one. */
function logsOf({ config }: AuditOptions): readonly string[] {
  const parent = join(loadNode(config, []).dataDir, "audit");
  const names = existsSync(parent) ? readdirSync(parent).sort() : [];
  if (names.length > 0) return names.map((name) => join(parent, name));
  const how = "name another node with --config, or a log with --folder";
  throw new CommandError(exitCode.notFound, `there is no audit log in ${parent}: ${how}`);
}

async function rowOf(folder: string, how: VerifyAuditOptions): Promise<LogRow> {
  try {
    const { head, ...counts } = await verifyAudit(folder, how);
    const receiptsVerified = how.trust !== undefined;
    return {
      log: basename(folder),
      entries: head.seq,
      ...counts,
      receiptsVerified,
      head: formatAuditHead(head),
    };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new EvidenceError(error.code, `${folder}: ${error.message}`, {
      cause: error,
      evidence: error.evidence,
    });
  }
}

function tableOf(rows: readonly LogRow[]): readonly string[] {
  const table = renderTable(
    ["LOG", "ENTRIES", "RECEIPTS", "ACTIONS", "HEAD"],
    rows.map(({ log, entries, receipts, receiptsVerified, actions, head }) => {
      const verified = receiptsVerified && receipts > 0 ? " verified" : "";
      return [log, String(entries), `${receipts}${verified}`, String(actions), head];
    }),
  );
  const damage = rows.flatMap(({ log, setAside }) =>
    setAside.map((file) => `${log}: torn or damaged bytes were set aside in ${file}: look at what they hold`),
  );
  return [...table, ...damage];
}

function readHead(text: string): AuditHead {
  try {
    return parseAuditHead(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new CommandError(exitCode.usage, `--head ${text}: ${error.message}`);
  }
}
