import { visible } from "@catalyst/wire";
import { type Command, Option } from "commander";
import { located } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { parseMoment } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { required } from "../given.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { collect } from "../roots.ts";
import { renderTable } from "../table.ts";
import { verifyingCommands, writeBundles } from "./receipt-bundle.ts";
import { contentLog, type FoundReceipts, findReceipts, type LoggedReceipt } from "./receipt-log.ts";
import { objectsOf, printableReceipt, summaryOf } from "./receipt-view.ts";

type FilterOptions = {
  readonly folder?: string;
  readonly kind?: string;
  readonly object?: string;
  readonly since?: string;
};
type ExportOptions = FilterOptions & {
  readonly out?: string;
  readonly receipt?: readonly string[];
  readonly force?: boolean;
};

const kinds = [
  ...["storage", "pin", "placement", "scrub", "binding", "link"],
  ...["gc-report", "provide", "withdraw", "resolve", "transfer", "subscribe"],
];

/** `holo receipts list` and `export`: the receipts in a node's audit log, whether it runs or not. */
export function addReceiptExport(receipts: Command, printer: Printer): void {
  located<FilterOptions>(
    filtering(receipts.command("list").description("list the receipts in a node's audit log")),
    printer,
    listReceipts,
  );
  located<ExportOptions>(
    filtering(
      receipts
        .command("export")
        .description("write receipts into a bundle that verifies anywhere, with the network off")
        .option("-O, --out <file>", "the bundle; what does not fit goes on in FILE-2 and so on")
        .option("--receipt <cid>", "these receipts alone, by their CIDs; repeatable", collect)
        .option("--force", "replace files that are there"),
    ),
    printer,
    exportReceipts,
  );
}

function filtering(command: Command): Command {
  return command
    .option("--folder <folder>", "an audit log (default: that of the node's content process)")
    .addOption(new Option("--kind <kind>", "receipts of this kind alone").choices(kinds))
    .option("--object <cid>", "receipts about this object alone")
    .option("--since <time>", "from a time on, such as 2027-01-15T08:00:00Z, or 12h for so long ago");
}

async function listReceipts(
  { printer, format, dataDir }: CommandContext,
  options: FilterOptions,
): Promise<void> {
  const { receipts } = await found(dataDir, options);
  const rows = receipts.map(({ cid, at, receipt, envelope }) => ({
    cid,
    enteredAt: new Date(at).toISOString(),
    issuer: envelope.header.claims.issuer,
    kind: receipt.kind,
    receipt: printableReceipt(receipt),
  }));
  printRows(printer, format, rows, () => {
    if (rows.length === 0) return ["No receipts."];
    const cells = receipts.map(({ cid, receipt }, at) => [
      (rows[at]?.enteredAt ?? "").replace(/\.\d+Z$/, "Z"),
      receipt.kind,
      cid,
      visible(summaryOf(receipt)),
    ]);
    return renderTable(["ENTERED", "KIND", "RECEIPT", "SAYS"], cells, printer.width());
  });
}

async function exportReceipts(
  { printer, format, dataDir }: CommandContext,
  options: ExportOptions,
): Promise<void> {
  const { receipt: cids, force = false } = options;
  const out = required("--out", options.out, "-O FILE, the bundle to write");
  const wanted = cids === undefined ? null : new Set(cids);
  const all = await found(dataDir, options, ({ cid }) => wanted === null || wanted.has(cid));
  const missing = cids?.find((cid) => !all.receipts.some((logged) => logged.cid === cid));
  if (missing !== undefined) {
    throw new CommandError(
      exitCode.notFound,
      `the log has no receipt ${missing} that fits: \`holo receipts list\` shows what it has`,
    );
  }
  const written = await writeBundles({ dataDir, found: all, out }, { force });
  printValue(printer, format, { ...written, verifyWith: verifyingCommands(written) }, () => [
    `${written.receipts} ${written.receipts === 1 ? "receipt" : "receipts"} in ${written.files.join(", ")}. Verify with:`,
    ...verifyingCommands(written).map((command) => `  ${command}`),
  ]);
}

function found(
  dataDir: string,
  { folder = contentLog(dataDir), kind, object, since }: FilterOptions,
  wanted: (logged: LoggedReceipt) => boolean = () => true,
): Promise<FoundReceipts> {
  const from = since === undefined ? 0 : parseMoment("--since", since);
  return findReceipts(
    folder,
    (logged) =>
      logged.at >= from &&
      (kind === undefined || logged.receipt.kind === kind) &&
      (object === undefined || objectsOf(logged.receipt).includes(object)) &&
      wanted(logged),
  );
}
