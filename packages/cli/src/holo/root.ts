import {
  parseStatementKey,
  statementKid,
  type TrustRoot,
  trustOptions,
  trustRoots,
} from "@catalyst/identity";
import { CommandError, exitCode } from "../exit-code.ts";

/**
 * Reads `NAME=KEY`, `*.NAME=KEY` for all names below as well, or either with `kid:KID` in place of the key. Throws
 * {@link CommandError}, or IdentityError for what is no key.
 */
export function parseRoot(text: string): TrustRoot {
  const [, below, name = "", kid, key] = /^(\*\.)?([^=]+)=(?:kid:([^=]+)|([^=]+))$/.exec(text) ?? [];
  const declared = {
    name,
    covers: below === undefined ? "name" : "subtree",
    kid: key === undefined ? kid : statementKid(parseStatementKey(key)),
    key,
  };
  const parsed = trustOptions.safeParse({ roots: [declared] });
  const [root] = parsed.success ? trustRoots(parsed.data) : [];
  if (root !== undefined) return root;
  throw new CommandError(exitCode.usage, `--root ${text} is not NAME=KEY, *.NAME=KEY or NAME=kid:KID`);
}
