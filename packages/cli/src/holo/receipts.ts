import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  createTrust,
  decodeReceiptFile,
  EvidenceError,
  nodeCrypto,
  type VerifiedReceipt,
  verifyBundle,
  verifyReceipt,
} from "@catalyst/evidence";
import { parseStatementKey, type TrustRoot } from "@catalyst/identity";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { type OutputFormat, outputFormats, printRows } from "../output.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";
import { parseRoot } from "./root.ts";

type VerifyOptions = {
  root: readonly string[];
  key: readonly string[];
  asOf?: string;
  output: OutputFormat;
};

/** One line of what is printed: a receipt, or a file that holds none that can be believed. */
type Row = {
  readonly file: string;
  readonly ok: boolean;
  readonly kind: string | null;
  readonly signers: readonly string[];
  readonly code: string | null;
  readonly problem: string | null;
};

type Check = { readonly roots: readonly TrustRoot[]; readonly asOf: number };

/** `holo receipts`: is it true what they say? With the network off. */
export function addReceipts(program: Command, printer: Printer): void {
  const receipts = program.command("receipts").description("verify receipts, with the network off");
  verifying(receipts.command("verify"), printer, ".receipt", async (bytes, check, options) => {
    const keys = options.key.map(parseStatementKey);
    const trust = await createTrust({ roots: check.roots, keys }, nodeCrypto);
    const verified = await verifyReceipt(decodeReceiptFile(bytes), {
      crypto: nodeCrypto,
      trust,
      asOf: check.asOf,
    });
    return [verified];
  }).description("verify receipts that were signed once or twice");
  verifying(receipts.command("bundle-verify"), printer, ".bundle", async (bytes, { roots, asOf }) => {
    return (await verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf })).receipts;
  }).description("verify bundles, with the keys, delegations and policies that they carry");
}

function verifying(
  command: Command,
  printer: Printer,
  suffix: string,
  verify: (bytes: Uint8Array, check: Check, options: VerifyOptions) => Promise<readonly VerifiedReceipt[]>,
): Command {
  return command
    .argument("<path>", `a file, or a folder of files that end in ${suffix}`)
    .option(
      "--root <name=key...>",
      "who is believed: NAME=KEY, *.NAME=KEY with all below, or NAME=kid:KID",
      [],
    )
    .option("--key <key...>", "a key for a root of which the kid alone is given", [])
    .option("--as-of <time>", "the moment to judge expiry at, such as 2027-01-15T08:00:00Z (default: now)")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .action(async (path: string, options: VerifyOptions) => {
      const check = { roots: options.root.map(parseRoot), asOf: readTime(options.asOf) };
      const rows: Row[] = [];
      for (const file of filesAt(path, suffix)) {
        rows.push(...(await rowsOf(file, (bytes) => verify(bytes, check, options))));
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
    const verified = await verify(new Uint8Array(readFileSync(file)));
    return verified.map(({ receipt, statements }) => ({
      file,
      ok: true,
      kind: receipt.kind,
      signers: statements.map(({ header }) => header.claims.issuer),
      code: null,
      problem: null,
    }));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [{ file, ok: false, kind: null, signers: [], code: error.code, problem: error.message }];
  }
}

function tableOf(rows: readonly Row[]): readonly string[] {
  return renderTable(
    ["FILE", "VERIFIED", "KIND", "SIGNED BY"],
    rows.map(({ file, ok, kind, signers, code, problem }) =>
      ok ? [file, "yes", kind ?? "", signers.join(", ")] : [file, "no", "", `${code}: ${problem}`],
    ),
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
