import { keyedList, option, z } from "@catalyst/config";
import { IdentityError } from "./errors.ts";
import { statementKid } from "./kid.ts";
import { parseKid, parseStatementKey } from "./public-key.ts";
import type { TrustRoot } from "./trust-root.ts";

const name = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    "is not a name such as n1.acme.catalyst.internal",
  );
const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "is not 43 characters of base64url");

/** One key that is believed. A name may have several: the next one beside the one that is going. */
export const trustRootDeclaration = z.strictObject({
  kid: option(digest, { description: "the key's kid, as `holo keys show` prints it" }),
  name: option(name, { description: "whom the key speaks for: an organisation, or one node" }),
  covers: option(z.enum(["name", "subtree"]).default("name"), {
    description: "`subtree` for an organisation's key, good for every name below; `name` for one pinned key",
  }),
  key: option(digest.optional(), {
    description: "the Ed25519 key itself; without it, whoever sends a statement sends the key along",
  }),
});

/** The part of section `auth` that says whose statements are believed. */
export const trustOptions = z.strictObject({
  roots: keyedList(trustRootDeclaration, {
    key: "kid",
    flag: "trust-root",
    description: "whose statements are believed; each key for the names that it covers",
  }),
});

export type TrustOptions = z.infer<typeof trustOptions>;

/** The roots that a configuration names. Throws {@link IdentityError} `trust_root_invalid` for the first wrong one. */
export function trustRoots({ roots }: TrustOptions): readonly TrustRoot[] {
  return roots.map(readRoot);
}

function readRoot({ name, covers, key, kid }: TrustOptions["roots"][number]): TrustRoot {
  try {
    const pinned = parseKid(kid);
    if (key === undefined) return { name, covers, kid: pinned, key: null };
    const given = parseStatementKey(key);
    if (statementKid(given) !== pinned) refuse(name, "its kid is that of another key");
    return { name, covers, kid: pinned, key: given };
  } catch (cause) {
    if (!(cause instanceof IdentityError) || cause.code === "trust_root_invalid") throw cause;
    return refuse(name, cause.message, cause);
  }
}

function refuse(name: string, problem: string, cause?: unknown): never {
  throw new IdentityError("trust_root_invalid", `trust root ${name}: ${problem}`, {
    cause,
    evidence: { name },
  });
}
