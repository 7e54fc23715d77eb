import { join } from "node:path";
import {
  type AuditHead,
  EvidenceError,
  formatAuditHead,
  parseAuditHead,
  verifyAudit,
} from "@catalyst/evidence";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { loadNode } from "../load.ts";
import { type OutputFormat, outputFormats, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { collect, type TrustFlags, trustOf, withTrust } from "../roots.ts";

type AuditOptions = TrustFlags & { folder?: string; head?: readonly string[]; output: OutputFormat };

/** `catalyst audit`: the log of receipts and of what operators did. */
export function addAudit(program: Command, printer: Printer): void {
  const command = program
    .command("audit")
    .description("the log of receipts and of what operators did")
    .command("verify")
    .description("check that no entry was changed, removed or moved, verify its receipts, and print the head")
    .option("--folder <folder>", "where the log is (default: audit in the node's data directory)")
    .option(
      "--head <head>",
      "a head that was printed before: the log must still hold it; repeatable",
      collect,
    );
  withTrust(command, "the configuration of the node whose log it is; its auth.trust.roots are believed")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .action((options: AuditOptions) => verifyLog(printer, options));
}

async function verifyLog(printer: Printer, options: AuditOptions): Promise<void> {
  const folder = options.folder ?? join(loadNode(options.config, []).dataDir, "audit");
  const known = (options.head ?? []).map(readHead);
  const trust = trustOf(options);
  const believed = trust.roots.length > 0;
  const verified = await verifyAudit(folder, { known, ...(believed ? { trust } : {}) });
  const { head, receipts, actions, setAside } = verified;
  const view = {
    head: formatAuditHead(head),
    entries: head.seq,
    receipts,
    receiptsVerified: believed,
    actions,
    setAside,
  };
  const how = believed ? "verified" : "not verified: no --root, and no auth.trust.roots in a configuration";
  printValue(printer, options.output, view, () => [
    `${counted(head.seq, "entry", "entries")}, unchanged and complete as far as the head tells`,
    `${counted(receipts, "receipt", "receipts")}${receipts === 0 ? "" : `, ${how}`}`,
    counted(actions, "action", "actions"),
    ...setAside.map((file) => `torn or damaged bytes were set aside in ${file}: look at what they hold`),
    `head ${view.head}`,
  ]);
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function readHead(text: string): AuditHead {
  try {
    return parseAuditHead(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new CommandError(exitCode.usage, `--head ${text}: ${error.message}`);
  }
}
