import { type TrustDocument, writeTrustBundle } from "@catalyst/identity";
import { timeOf } from "../credentials/api-key.ts";
import type { CredentialsPublisher } from "../credentials/credentials-publisher.ts";
import type { KeyRing } from "../credentials/key-ring.ts";
import type { DenialTable } from "./authority-store.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

export type TrustPublisherParts = {
  readonly domain: string;
  readonly addresses: () => readonly string[];
  readonly certificateAuthority: CertificateAuthority;
  readonly denials: DenialTable;
  readonly tokenKeys: Pick<KeyRing, "jwks">;
  readonly credentialsPublisher: CredentialsPublisher;
};

/** Whoever watches hears of a change at once; who only reads asks again after this long. */
const refreshSeconds = 300;

/** What every node of the organisation believes, and who waits to hear of a change: spec/enrolment.md §5. */
export class TrustPublisher {
  readonly #parts: TrustPublisherParts;

  constructor(parts: TrustPublisherParts) {
    this.#parts = parts;
  }

  current(): TrustDocument {
    const { domain, addresses, certificateAuthority, denials, tokenKeys, credentialsPublisher } = this.#parts;
    const { version, issuers, revoked } = credentialsPublisher.current();
    return {
      version,
      domain,
      authority: [...addresses()],
      bundle: writeTrustBundle({
        sequence: version,
        refreshSeconds,
        roots: certificateAuthority.roots(),
        tokenKeys: tokenKeys.jwks(),
      }),
      issuers,
      revoked,
      denied: denials.all().map(({ node, serial, until }) => {
        return { node, serial, until: until === null ? null : timeOf(until) };
      }),
    };
  }

  /** Resolves as soon as the version is another one, or when patience is over. */
  async after(version: number): Promise<TrustDocument> {
    await this.#parts.credentialsPublisher.after(version);
    return this.current();
  }
}
