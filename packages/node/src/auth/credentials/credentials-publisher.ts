import type { TokenIssuer, TokenJwk, TokenKind } from "@catalyst/identity";
import type { Credentials } from "@catalyst/rpc";
import { Announcer } from "../../announcer.ts";
import { timeOf } from "./api-key.ts";
import type { ApiKeyTable, VersionCounter } from "./auth-store.ts";
import { withKeys } from "./believed-keys.ts";
import type { KeyRing } from "./key-ring.ts";
import type { RevokedTokenTable } from "./revoked-tokens.ts";

export type CredentialsPublisherParts = {
  readonly issuers: Readonly<Record<TokenKind, Omit<TokenIssuer, "keys">>>;
  readonly rings: Readonly<Record<TokenKind, KeyRing>>;
  readonly apiKeys: ApiKeyTable;
  readonly revokedTokens: RevokedTokenTable;
  readonly version: VersionCounter;
  /** Keys of access tokens that are believed beside those of this process; default none. */
  readonly believed?: () => readonly TokenJwk[];
  /** How long somebody waits for news; default 25,000 ms. */
  readonly patienceMs?: number;
};

/** How long a credential is denied after its time: the clocks of those who verify may be behind. */
export const lingerMs = 60_000;

/** What all who verify credentials have to know, and who waits to hear of a change. */
export class CredentialsPublisher {
  readonly #parts: CredentialsPublisherParts;
  readonly #announcer: Announcer;

  constructor(parts: CredentialsPublisherParts) {
    this.#parts = parts;
    this.#announcer = new Announcer(parts.patienceMs);
  }

  current(): Credentials {
    const { issuers, rings, apiKeys, revokedTokens, version, believed } = this.#parts;
    const own = (["tokens", "apikeys"] as const).map((kind) => {
      return { ...issuers[kind], jwks: JSON.stringify({ keys: rings[kind].jwks() }) };
    });
    return {
      version: version.current,
      issuers: withKeys(own, believed?.() ?? []),
      revoked: [
        ...apiKeys.denied().map(({ jti, expiresAt }) => ({ jti, until: timeOf(expiresAt + lingerMs) })),
        ...revokedTokens.all().map(({ jti, until }) => ({ jti, until: timeOf(until) })),
      ],
    };
  }

  /** Resolves as soon as the version is another one, or when patience is over. */
  async after(version: number): Promise<Credentials> {
    if (this.#parts.version.current === version) await this.#announcer.news();
    return this.current();
  }

  /** Tells all who wait. */
  announce(): void {
    this.#announcer.announce();
  }

  /** Answers who waits, and lets nobody wait any more. */
  close(): void {
    this.#announcer.close();
  }
}
