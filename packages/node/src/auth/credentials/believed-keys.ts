import { readFileSync } from "node:fs";
import { IdentityError, publicKeyOf, readTokenJwks, type TokenJwk, tokenJwkOf } from "@catalyst/identity";
import type { Credentials } from "@catalyst/rpc";
import { NodeError } from "../../errors.ts";
import { watchFiles } from "../../identity/watch-files.ts";

/**
 * The keys of a JWK Set that the configuration names; none where it names none. Throws {@link NodeError}
 * `file_unreadable`, or IdentityError `key_malformed`.
 */
export function readBelievedKeys(file: string | undefined): readonly TokenJwk[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const message = `auth.identity.jwksFile names ${file}, which cannot be read: ${(cause as Error).message}`;
    throw new NodeError("file_unreadable", message, { cause });
  }
  return Array.from(readTokenJwks(text).values(), (key) => {
    const read = publicKeyOf(key);
    if (read.algorithm !== "P-256")
      throw new IdentityError("key_algorithm", `${file}: tokens have P-256 keys`);
    return tokenJwkOf(read);
  });
}

/**
 * The issuers, that of access tokens with more keys. A key that one of them has already is left out: one that signs API
 * keys signs no tokens.
 */
export function withKeys(issuers: readonly Issuer[], keys: readonly TokenJwk[]): Issuer[] {
  if (keys.length === 0) return [...issuers];
  const own = new Map(issuers.map((issuer) => [issuer, keysOf(issuer)] as const));
  const known = new Set([...own.values()].flat().map(({ kid }) => kid));
  const others = keys.filter(({ kid }) => !known.has(kid));
  return issuers.map((issuer) => {
    if (issuer.kind !== "tokens") return issuer;
    return { ...issuer, jwks: JSON.stringify({ keys: [...(own.get(issuer) ?? []), ...others] }) };
  });
}

type Issuer = Credentials["issuers"][number];

function keysOf({ jwks }: Issuer): TokenJwk[] {
  return (JSON.parse(jwks) as { keys: TokenJwk[] }).keys;
}

export type FollowOptions = {
  readonly signal: AbortSignal;
  /** The keys are others than before. */
  readonly onChange: () => void;
  /** The file cannot be used any more. */
  readonly onProblem: (problem: string) => void;
  /** How often the file is looked at; default 1,000 ms. */
  readonly everyMs?: number;
};

/** The keys of the file that the configuration names, taken up anew when it changes; one that is damaged changes nothing. */
export class BelievedKeys {
  readonly #file: string | undefined;
  #keys: readonly TokenJwk[];
  #problem: string | null = null;

  /** Throws as {@link readBelievedKeys} does. */
  constructor(file: string | undefined) {
    this.#file = file;
    this.#keys = readBelievedKeys(file);
  }

  get keys(): readonly TokenJwk[] {
    return this.#keys;
  }

  /** Why what is in the file now is not in force; null when it is. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Resolves when the signal aborts. Never throws. */
  async follow({ signal, onChange, onProblem, everyMs }: FollowOptions): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const take = () => {
      this.#keys = readBelievedKeys(file);
      this.#problem = null;
      onChange();
    };
    const refuse = (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#problem = `auth.identity.jwksFile: ${why}; the keys that it had before stay in force`;
      onProblem(this.#problem);
    };
    await watchFiles([file], signal, take, refuse, everyMs);
  }
}
