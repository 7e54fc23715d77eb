import type { RelayPolicy } from "@catalyst/star";
import { visible } from "@catalyst/wire";
import { type Command, Option } from "commander";
import { CommandError, exitCode } from "../exit-code.ts";
import { type OutputFormat, outputFormats } from "../output.ts";
import type { Printer } from "../printer.ts";
import { collect } from "../roots.ts";
import type { TlsFlags } from "../tls-flags.ts";

/** What `catalyst replicate` was told. */
export type ReplicateFlags = TlsFlags & {
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
    // Asking a node a question loads nothing of stars.
    .action(async (options: ReplicateFlags) =>
      (await import("../replication.ts")).replicate(printer, options),
    );
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
