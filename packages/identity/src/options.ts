import { keyedList, option, z } from "@catalyst/config";
import { namePattern } from "@catalyst/wire";
import { IdentityError } from "./errors.ts";
import { statementKid } from "./kid.ts";
import { parseKid, parseStatementKey } from "./public-key.ts";
import type { TrustRoot } from "./trust-root.ts";

const name = z.string().max(253).regex(namePattern, "is not a name such as n1.acme.catalyst.internal");

/** 32 bytes in base64url; the unused bits of the last character are zero. */
const digest = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "is not 43 characters of base64url");

/** One key that is believed. A name may have several: the next one beside the one that is going. */
const trustRootDeclaration = z.strictObject({
  kid: option(digest, { description: "The key's kid, as `holo keys show` prints it." }),
  name: option(name, { description: "Whom the key speaks for: an organisation, or one node." }),
  covers: option(z.enum(["name", "subtree"]).default("name"), {
    description:
      "`subtree` for an organisation's key, good for its name and every one below; `name` for one pinned key.",
  }),
  key: option(digest.optional(), {
    description: "The Ed25519 key itself. Without it, whoever sends a statement sends the key along.",
  }),
});

type TrustRootDeclaration = z.output<typeof trustRootDeclaration>;

/** Section `auth.trust`: whose statements are believed. */
export const trustOptions = z
  .strictObject({
    roots: keyedList(trustRootDeclaration, {
      key: "kid",
      flag: "trust-root",
      description: "Keys that are believed, each for the names that it covers.",
    }),
  })
  .superRefine(({ roots }, context) => {
    for (const [at, root] of roots.entries()) {
      const message = keyFault(root);
      if (message !== null) context.addIssue({ code: "custom", path: ["roots", at, "key"], message });
    }
  });

export type TrustOptions = z.output<typeof trustOptions>;

/** Section `auth.keys`: how long keys sign, and what they sign is good for. */
export const keyOptions = z.strictObject({
  rotateTokensAfterDays: option(z.int().min(1).max(3_650).default(30), {
    description: "How long one key signs access tokens before the next one does.",
  }),
  rotateApiKeysAfterDays: option(z.int().min(1).max(3_650).default(90), {
    description:
      "How long one key signs API keys before the next one does. API keys stay good when it changes.",
  }),
  maxTokenMinutes: option(z.int().min(1).max(1_440).default(60), {
    description: "How long an access token may be good at most; one that was given longer is refused.",
  }),
  maxApiKeyDays: option(z.int().min(1).max(3_650).default(366), {
    description: "How long an API key may be good at most; one that was given longer is refused.",
  }),
});

export type KeyOptions = z.output<typeof keyOptions>;

/** The roots that a configuration names. */
export function trustRoots({ roots }: TrustOptions): readonly TrustRoot[] {
  return roots.map(({ name, covers, kid, key }) => {
    return { name, covers, kid: parseKid(kid), key: key === undefined ? null : parseStatementKey(key) };
  });
}

/** What is wrong with the key of a root; null when nothing is, or when it has not even the form of one. */
function keyFault({ kid, key }: TrustRootDeclaration): string | null {
  if (!digest.optional().safeParse(key).success || key === undefined) return null;
  try {
    return statementKid(parseStatementKey(key)) === kid ? null : "is not the key that has this kid";
  } catch (error) {
    if (error instanceof IdentityError) return `cannot be believed: ${error.message}`;
    throw error;
  }
}
