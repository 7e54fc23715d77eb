import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  createTrust,
  decodeReceiptFile,
  defaultMaxBundleBytes,
  EvidenceError,
  nodeCrypto,
  type Receipt,
  type VerifiedReceipt,
  verifyBundle,
  verifyReceipt,
} from "@catalyst/evidence";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { type OutputFormat, outputFormats, printRows } from "../output.ts";
import type { Printer } from "../printer.ts";
import { type TrustFlags, trustOf, withTrust } from "../roots.ts";
import { renderTable } from "../table.ts";
import { addReceiptExport } from "./receipt-export.ts";
import { printableReceipt } from "./receipt-view.ts";

type VerifyOptions = TrustFlags & { asOf?: string; output: OutputFormat };

/** One line of what is printed: a receipt, or a file that holds none that can be believed. */
type Row = {
  readonly file: string;
  readonly ok: boolean;
  readonly kind: Receipt["kind"] | null;
  /** When it was issued, in ISO 8601: by the first signer's clock. */
  readonly issuedAt: string | null;
  readonly signers: readonly string[];
  /** What it says, with bytes in hexadecimal. */
  readonly receipt: object | null;
  readonly code: string | null;
  readonly problem: string | null;
};

type Check = ReturnType<typeof trustOf> & { readonly asOf: number };

/** `holo receipts`: what they say, and whether it is true. */
export function addReceipts(program: Command, printer: Printer): void {
  const receipts = program
    .command("receipts")
    .description("look at receipts, take them along, and verify them with the network off");
  verifying(receipts.command("verify"), printer, ".receipt", async (bytes, { asOf, ...trusted }) => {
    const trust = await createTrust(trusted, nodeCrypto);
    return [await verifyReceipt(decodeReceiptFile(bytes), { crypto: nodeCrypto, trust, asOf })];
  }).description("verify receipts that were signed once or twice");
  verifying(receipts.command("bundle-verify"), printer, ".bundle", async (bytes, { roots, asOf }) => {
    return (await verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf })).receipts;
  }).description("verify bundles, with the keys, delegations and policies that they carry");
  addReceiptExport(receipts, printer);
}

function verifying(
  command: Command,
  printer: Printer,
  suffix: string,
  verify: (bytes: Uint8Array, check: Check) => Promise<readonly VerifiedReceipt[]>,
): Command {
  command.argument("<path>", `a file, or a folder of files that end in ${suffix}`);
  return withTrust(command, "a configuration whose auth.trust.roots are believed")
    .option("--as-of <time>", "the moment to judge expiry at, such as 2027-01-15T08:00:00Z (default: now)")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .action(async (path: string, options: VerifyOptions) => {
      const check = { ...trustOf(options), asOf: readTime(options.asOf) };
      if (check.roots.length === 0) {
        const how = "--root NAME=KEY, or auth.trust.roots in the configuration";
        throw new CommandError(exitCode.usage, `nobody is believed: say who is with ${how}`);
      }
      const rows: Row[] = [];
      for (const file of filesAt(path, suffix)) {
        rows.push(...(await rowsOf(file, (bytes) => verify(bytes, check))));
      }
      printRows(printer, options.output, rows, () => tableOf(rows));
      const bad = rows.filter(({ ok }) => !ok).length;
      if (bad > 0) throw new CommandError(exitCode.failed, `${bad} of ${rows.length} did not verify`);
    });
}

async function rowsOf(
  file: string,
  verify: (bytes: Uint8Array) => Promise<readonly VerifiedReceipt[]>,
): Promise<readonly Row[]> {
  try {
    return (await verify(readSmall(file))).map((verified) => rowOf(file, verified));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const { code, message } = error;
    const nothing = { kind: null, issuedAt: null, signers: [], receipt: null };
    return [{ file, ok: false, ...nothing, code, problem: message }];
  }
}

function rowOf(file: string, { receipt, statements }: VerifiedReceipt): Row {
  const issuedAt = statements[0]?.header.claims.issuedAt ?? 0;
  return {
    file,
    ok: true,
    kind: receipt.kind,
    issuedAt: isoOf(issuedAt),
    signers: statements.map(({ header }) => header.claims.issuer),
    receipt: printableReceipt(receipt),
    code: null,
    problem: null,
  };
}

/** Seconds as ISO 8601; as a number where they are beyond every calendar. */
function isoOf(seconds: number): string {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(".000Z", "Z");
}

/** A file that is not longer than anything that could be verified; pipes and devices do not say how long they are. */
function readSmall(file: string): Uint8Array {
  const bytes = new Uint8Array(defaultMaxBundleBytes + 1);
  const descriptor = openSync(file, "r");
  let length = 0;
  try {
    for (let read = 1; read > 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(descriptor);
  }
  if (length < bytes.length) return bytes.subarray(0, length);
  throw new EvidenceError("too_large", `it is longer than ${defaultMaxBundleBytes} bytes`);
}

function tableOf(rows: readonly Row[]): readonly string[] {
  return renderTable(
    ["FILE", "VERIFIED", "KIND", "ISSUED", "SIGNED BY"],
    rows.map(({ file, ok, kind, issuedAt, signers, code, problem }) => {
      const said = [kind ?? "-", issuedAt ?? "-"];
      return ok ? [file, "yes", ...said, signers.join(", ")] : [file, "no", ...said, `${code}: ${problem}`];
    }),
  );
}

function filesAt(path: string, suffix: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith(suffix));
    if (names.length > 0) return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw new CommandError(exitCode.notFound, `cannot read ${path}: ${(error as Error).message}`);
  }
  throw new CommandError(exitCode.notFound, `${path} has no file that ends in ${suffix}`);
}

function readTime(text: string | undefined): number {
  const ms = text === undefined ? Date.now() : Date.parse(text);
  if (Number.isNaN(ms)) throw new CommandError(exitCode.usage, `--as-of ${text} is no time`);
  return Math.floor(ms / 1_000);
}
