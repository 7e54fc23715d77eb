import { isIP } from "node:net";
import { readAddress } from "@catalyst/config";
import { release } from "@catalyst/node";
import { runStar, type StarOptions } from "@catalyst/star";
import { createLogger } from "@catalyst/telemetry";
import { Command, Option } from "commander";
import { environment } from "../environment.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { onInterruption } from "../interruption.ts";
import { collect } from "../roots.ts";
import { runProgram } from "../run-program.ts";
import { type TlsFlags, tlsFilesOf } from "../tls-flags.ts";
import { textLog } from "./text-log.ts";

type Options = TlsFlags & {
  readonly port: number;
  readonly bind: string;
  readonly token?: string;
  readonly authSecret?: string;
  readonly allow?: readonly string[];
  readonly chunkBytes?: number;
  readonly hardLinks: "allow" | "refuse";
  readonly sourceAuthorities?: string;
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly logFormat: "text" | "json";
  readonly debug?: boolean;
};

/** Messages of more than 4 MiB, and what is around the bytes counts, are taken by no gRPC that was not asked to. */
const mostChunkBytes = 4_000_000;

/** Runs one command line of `orbit-star` and returns its exit code. */
export function runOrbitStar(argv: readonly string[]): Promise<number> {
  return runProgram(argv, buildOrbitStar);
}

function buildOrbitStar(): Command {
  return new Command("orbit-star")
    .description("A star: serves files of this machine to other stars, and fetches files from them.")
    .version(release, "-V, --version", "print the release")
    .showHelpAfterError("(`--help` lists what there is)")
    .exitOverride()
    .option("--port <number>", "where it listens; 0 for any free port", numberOf("--port", 0, 65_535), 50_051)
    .option("--bind <address>", "the IP address that it listens at", addressOf, "0.0.0.0")
    .addOption(
      new Option(
        "--token <secret>",
        "what callers show for a session (ORBIT_STAR_TOKEN; there no list of processes shows it)",
      ),
    )
    .addOption(
      new Option(
        "--auth-secret <secret>",
        "what transfer tokens are signed with, the same at all stars (ORBIT_AUTH_SECRET)",
      ),
    )
    .option("--allow <folder>", "a folder that is served and written to; repeatable", collect)
    .option(
      "--chunk-bytes <bytes>",
      "bytes in each message of a file (ORBIT_CHUNK_BYTES; default: 65536)",
      numberOf("--chunk-bytes", 4_096, mostChunkBytes),
    )
    .addOption(
      new Option("--hard-links <policy>", "what is done with files that have several names")
        .choices(["allow", "refuse"])
        .default("allow"),
    )
    .option(
      "--tls-certificate <file>",
      "certificate chain, PEM: serve over TLS, not in plain text; shown to sources that ask too (ORBIT_TLS_CERTIFICATE)",
    )
    .option("--tls-key <file>", "the key of the certificate, PEM (ORBIT_TLS_KEY)")
    .option(
      "--tls-authorities <file>",
      "callers need a certificate of one of these authorities, PEM (ORBIT_TLS_AUTHORITIES)",
    )
    .option(
      "--source-authorities <file>",
      "whom https sources have their certificates of, PEM (ORBIT_SOURCE_AUTHORITIES; default: those of the callers, else the well-known ones)",
    )
    .option(
      "--metrics <address>",
      "where /metrics, /healthz and /readyz are served, such as 127.0.0.1:9465",
      opsOf,
    )
    .addOption(
      new Option("--log-format <format>", "how the log is written").choices(["text", "json"]).default("text"),
    )
    .option("--debug", "log more")
    .action((options: Options) => serve(options));
}

async function serve(options: Options): Promise<void> {
  const { bind, logFormat, debug } = options;
  const logger = createLogger({
    process: "star",
    level: debug === true ? "debug" : "info",
    ...(logFormat === "text" ? { destination: textLog(process.stderr) } : {}),
  });
  using interruption = onInterruption("the star was told to end");
  const starOptions = starOptionsOf(options);
  await using star = await runStar(starOptions, logger);
  const host = isIP(bind) === 6 ? `[${bind}]` : bind;
  logger.info(
    `Star listens at ${host}:${star.port}, ${starOptions.tls === undefined ? "plain text" : "TLS"}`,
  );
  if (star.opsPort !== null)
    logger.info(`Metrics at http://${options.metrics?.host}:${star.opsPort}/metrics`);
  await new Promise<void>((resolve) => interruption.signal.addEventListener("abort", () => resolve()));
  logger.info("Star ends: what is under way has 5 s");
}

function starOptionsOf(options: Options): StarOptions {
  const { port, bind, allow = [], hardLinks, metrics } = options;
  const token = options.token ?? environment["ORBIT_STAR_TOKEN"] ?? "";
  const authSecret = options.authSecret ?? environment["ORBIT_AUTH_SECRET"] ?? "";
  if (token === "") throw usage("a star needs a token: --token, or the variable ORBIT_STAR_TOKEN");
  if (authSecret === "")
    throw usage("a star needs a secret: --auth-secret, or the variable ORBIT_AUTH_SECRET");
  if (allow.length === 0) throw usage("a star needs a folder to serve: --allow FOLDER");
  const given = environment["ORBIT_CHUNK_BYTES"];
  const chunkBytes =
    options.chunkBytes ??
    (given === undefined || given === ""
      ? undefined
      : numberOf("ORBIT_CHUNK_BYTES", 4_096, mostChunkBytes)(given));
  return {
    ...{ port, bind, token, authSecret, allow, hardLinks, version: release },
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
    ...(metrics === undefined ? {} : { ops: metrics }),
    ...tlsOf(options),
  };
}

function tlsOf(options: Options): Pick<StarOptions, "tls" | "sourceAuthoritiesFile"> {
  const { certificateFile, privateKeyFile, authoritiesFile } = tlsFilesOf(options);
  const sources = options.sourceAuthorities ?? (environment["ORBIT_SOURCE_AUTHORITIES"] || undefined);
  const towards = { sourceAuthoritiesFile: sources };
  if (certificateFile === undefined && privateKeyFile === undefined && authoritiesFile === undefined)
    return towards;
  if (certificateFile === undefined || privateKeyFile === undefined) {
    throw usage("TLS needs both --tls-certificate and --tls-key");
  }
  return { ...towards, tls: { certificateFile, privateKeyFile, authoritiesFile } };
}

function numberOf(flag: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw usage(`${flag} is a whole number from ${least} to ${most}, not "${text}"`);
  };
}

function addressOf(text: string): string {
  if (isIP(text) === 0) throw usage(`--bind is an IP address such as 127.0.0.1, not "${text}"`);
  return text;
}

function opsOf(text: string): { readonly host: string; readonly port: number } {
  const address = readAddress(text);
  if (address === null)
    throw usage(`--metrics is an IP address and a port such as 127.0.0.1:9465, not "${text}"`);
  return address;
}

function usage(words: string): CommandError {
  return new CommandError(exitCode.usage, words);
}
