import {
  IdentityError,
  parseStatementKey,
  statementKid,
  type TrustRoot,
  trustOptions,
  trustRoots,
} from "@catalyst/identity";
import { CommandError, exitCode } from "../exit-code.ts";

/**
 * Reads `NAME=KEY`, `*.NAME=KEY` for all names below as well, or either with `kid:KID` in place of the key. Throws
 * {@link CommandError} with exit code 2.
 */
export function parseRoot(text: string): TrustRoot {
  const [, below, name = "", kid, key] = /^(\*\.)?([^=]+)=(?:kid:([^=]+)|([^=]+))$/.exec(text) ?? [];
  const declared = {
    name,
    covers: below === undefined ? "name" : "subtree",
    kid: key === undefined ? kid : kidOf(text, key),
    ...(key === undefined ? {} : { key }),
  };
  const parsed = trustOptions.safeParse({ roots: [declared] });
  const [root] = parsed.success ? trustRoots(parsed.data) : [];
  return root ?? refuse(text, parsed.error?.issues[0]?.message);
}

function kidOf(text: string, key: string): string {
  try {
    return statementKid(parseStatementKey(key));
  } catch (error) {
    if (error instanceof IdentityError) return refuse(text, error.message);
    throw error;
  }
}

function refuse(text: string, reason?: string): never {
  const why = reason === undefined ? "" : ` (${reason})`;
  throw new CommandError(exitCode.usage, `--root ${text} is not NAME=KEY, *.NAME=KEY or NAME=kid:KID${why}`);
}
