import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatStatementKey, type KeptKey, type KeyStore, openKeyStore } from "@catalyst/identity";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { loadNode } from "../load.ts";
import { type OutputFormat, outputFormats, printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";

type KeysOptions = { folder?: string; config?: string; output: OutputFormat };
type CreateOptions = KeysOptions & { algorithm: "ed25519" | "p-256"; passphraseFile?: string };

/** `holo keys`: the keys of this machine. */
export function addKeys(program: Command, printer: Printer): void {
  const keys = program.command("keys").description("the keys that statements and tokens are signed with");
  withFolder(keys.command("create").description("make a key and keep it"))
    .argument("<name>", "its name: a DNS label")
    .addOption(
      new Option("--algorithm <algorithm>", "ed25519 for statements, p-256 for tokens and TLS")
        .choices(["ed25519", "p-256"])
        .default("ed25519"),
    )
    .option("--passphrase-file <file>", "encrypt the key with the first line of this file")
    .action(async (name: string, options: CreateOptions) => {
      const store = await storeOf(options);
      const algorithm = options.algorithm === "ed25519" ? "Ed25519" : "P-256";
      const secret = options.passphraseFile === undefined ? {} : readPassphrase(options.passphraseFile);
      printKey(printer, options.output, await store.create(name, algorithm, secret));
    });
  withFolder(keys.command("list").description("list the keys")).action(async (options: KeysOptions) => {
    const rows = (await (await storeOf(options)).list()).map(viewOf);
    printRows(printer, options.output, rows, () =>
      renderTable(
        ["NAME", "ALGORITHM", "ENCRYPTED", "KID"],
        rows.map(({ name, algorithm, encrypted, kid }) => [name, algorithm, encrypted ? "yes" : "no", kid]),
      ),
    );
  });
  withFolder(keys.command("show").description("print what is public of a key"))
    .argument("<name>", "its name")
    .action(async (name: string, options: KeysOptions) => {
      printKey(printer, options.output, await (await storeOf(options)).show(name));
    });
}

function withFolder(command: Command): Command {
  return command
    .option("--folder <folder>", "where the keys are (default: keys in the node's data directory)")
    .option("--config <file>", "the configuration of the node whose keys they are")
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    );
}

function storeOf({ folder, config }: KeysOptions): Promise<KeyStore> {
  return openKeyStore(folder ?? join(loadNode(config, []).dataDir, "keys"));
}

/** The first line of a file: a passphrase on the command line would show in the list of processes. */
function readPassphrase(path: string): { passphrase: string } {
  try {
    return { passphrase: readFileSync(path, "utf8").split(/\r?\n/, 1)[0] ?? "" };
  } catch (error) {
    throw new CommandError(exitCode.usage, `cannot read the passphrase: ${(error as Error).message}`);
  }
}

/** A key as it is printed; `key` is what a trust root is made of. */
function viewOf({ name, publicKey, kid, encrypted, path }: KeptKey) {
  const key = publicKey.algorithm === "Ed25519" ? formatStatementKey(publicKey) : null;
  return { name, algorithm: publicKey.algorithm, kid, key, encrypted, path };
}

function printKey(printer: Printer, format: OutputFormat, kept: KeptKey): void {
  const view = viewOf(kept);
  printValue(printer, format, view, () =>
    Object.entries({ ...view, encrypted: view.encrypted ? "yes" : "no" }).flatMap(([label, value]) =>
      value === null ? [] : [`${label.padEnd(11)}${value}`],
    ),
  );
}
