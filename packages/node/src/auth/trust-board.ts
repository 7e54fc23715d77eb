import { type TrustDocument, writeTrustBundle } from "@catalyst/identity";
import { timeOf } from "./api-key.ts";
import type { DenialTable } from "./authority-store.ts";
import type { Bulletin } from "./bulletin.ts";
import type { CertificateOffice } from "./certificate-office.ts";
import type { KeyRing } from "./key-ring.ts";

export type TrustBoardParts = {
  readonly domain: string;
  readonly addresses: () => readonly string[];
  readonly office: CertificateOffice;
  readonly denials: DenialTable;
  readonly tokenKeys: Pick<KeyRing, "jwks">;
  readonly bulletin: Bulletin;
};

/** Whoever watches hears of a change at once; who only reads asks again after this long. */
const refreshSeconds = 300;

/** What every node of the organisation believes, and who waits to hear of a change: spec/enrolment.md §5. */
export class TrustBoard {
  readonly #parts: TrustBoardParts;

  constructor(parts: TrustBoardParts) {
    this.#parts = parts;
  }

  current(): TrustDocument {
    const { domain, addresses, office, denials, tokenKeys, bulletin } = this.#parts;
    const { version, issuers, revoked } = bulletin.current();
    return {
      version,
      domain,
      authority: [...addresses()],
      bundle: writeTrustBundle({
        sequence: version,
        refreshSeconds,
        roots: office.roots(),
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
    await this.#parts.bulletin.after(version);
    return this.current();
  }
}
