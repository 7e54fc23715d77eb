import { join } from "node:path";
import { formatAuditHead, parseAuditHead, verifyAudit } from "@catalyst/evidence";
import { type Command, Option } from "commander";
import { loadNode } from "../load.ts";
import { type OutputFormat, outputFormats, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";

type AuditOptions = { folder?: string; config?: string; head: readonly string[]; output: OutputFormat };

/** `catalyst audit`: the log of receipts and of what operators did. */
export function addAudit(program: Command, printer: Printer): void {
  program
    .command("audit")
    .description("the log of receipts and of what operators did")
    .command("verify")
    .description("check that no entry was changed, removed or moved, and print the head")
    .option("--folder <folder>", "where the log is (default: audit in the node's data directory)")
    .option("--config <file>", "the configuration of the node whose log it is")
    .option("--head <head...>", "a head that was printed before: the log must still hold it", [])
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .action((options: AuditOptions) => verifyLog(printer, options));
}

async function verifyLog(printer: Printer, options: AuditOptions): Promise<void> {
  const folder = options.folder ?? join(loadNode(options.config, []).dataDir, "audit");
  const { head, receipts, actions, setAside } = await verifyAudit(folder, {
    known: options.head.map(parseAuditHead),
  });
  const view = { head: formatAuditHead(head), entries: head.seq, receipts, actions, setAside };
  printValue(printer, options.output, view, () => [
    `${head.seq} entries hold together: ${receipts} receipts, ${actions} actions`,
    ...setAside.map((file) => `torn or damaged bytes were set aside in ${file}: look at what they hold`),
    `head ${view.head}`,
  ]);
}
