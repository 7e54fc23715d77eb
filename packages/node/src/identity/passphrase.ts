import { readFileSync } from "node:fs";
import { IdentityError, type KeySecret } from "@catalyst/identity";

/** What opens the node's keys: the first line of `auth.passphraseFile`. Throws IdentityError `keys_unreadable`. */
export function readSecret(passphraseFile: string | undefined): KeySecret {
  if (passphraseFile === undefined) return {};
  try {
    return { passphrase: readFileSync(passphraseFile, "utf8").split(/\r?\n/, 1)[0] ?? "" };
  } catch (cause) {
    throw new IdentityError(
      "keys_unreadable",
      `cannot read auth.passphraseFile: ${(cause as Error).message}`,
      { cause, evidence: { path: passphraseFile } },
    );
  }
}
