import {
  IdentityError,
  parseStatementKey,
  type StatementKey,
  statementKid,
  type TrustRoot,
  trustOptions,
  trustRoots,
} from "@catalyst/identity";
import type { Command } from "commander";
import { CommandError, exitCode } from "./exit-code.ts";
import { loadNode } from "./load.ts";

/** What a command that verifies was told about whom to believe. */
export type TrustFlags = {
  readonly root?: readonly string[];
  readonly key?: readonly string[];
  readonly config?: string;
};

/** Gathers the values of an option that is repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** The options that say who is believed; `config` describes `--config`. */
export function withTrust(command: Command, config: string): Command {
  return command
    .option(
      "--root <name=key>",
      "who is believed: NAME=KEY, *.NAME=KEY with all below, or NAME=kid:KID; repeatable",
      collect,
    )
    .option("--key <key>", "a key for a root of which the kid alone is given; repeatable", collect)
    .option("--config <file>", config);
}

/**
 * Who is believed: the roots given as flags, and those of section `auth.trust` of the configuration. Where there are
 * flags, only a configuration that is named counts: what verifies does not depend on the folder then.
 */
export function trustOf({ root = [], key = [], config }: TrustFlags): {
  readonly roots: readonly TrustRoot[];
  readonly keys: readonly StatementKey[];
} {
  const configured =
    config === undefined && root.length > 0 ? [] : trustRoots(loadNode(config, []).config.auth.trust);
  return { roots: [...root.map(parseRoot), ...configured], keys: key.map(parseKey) };
}

function parseKey(text: string): StatementKey {
  return asUsage(`--key ${text}`, () => parseStatementKey(text));
}

/**
 * Reads `NAME=KEY`, `*.NAME=KEY` for all names below as well, or either with `kid:KID` in place of the key. Throws
 * {@link CommandError} with exit code 2.
 */
function parseRoot(text: string): TrustRoot {
  const [, below, name = "", kid, key] = /^(\*\.)?([^=]+)=(?:kid:([^=]+)|([^=]+))$/.exec(text) ?? [];
  const declared = {
    name,
    covers: below === undefined ? "name" : "subtree",
    kid: key === undefined ? kid : asUsage(`--root ${text}`, () => statementKid(parseStatementKey(key))),
    ...(key === undefined ? {} : { key }),
  };
  const parsed = trustOptions.safeParse({ roots: [declared] });
  const [root] = parsed.success ? trustRoots(parsed.data) : [];
  return root ?? refuse(text, parsed.error?.issues[0]);
}

function refuse(
  text: string,
  fault?: { readonly path: readonly PropertyKey[]; readonly message: string },
): never {
  const why = fault === undefined ? "" : `: its ${String(fault.path.at(-1))} ${fault.message}`;
  throw new CommandError(exitCode.usage, `--root ${text} is not NAME=KEY, *.NAME=KEY or NAME=kid:KID${why}`);
}

/** Runs what reads an argument: a key that is none is a fault of who typed it. */
function asUsage<Result>(argument: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    throw new CommandError(exitCode.usage, `${argument}: ${error.message}`);
  }
}
