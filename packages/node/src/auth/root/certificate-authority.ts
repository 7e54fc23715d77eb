import { type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { type Database, failpoint } from "@catalyst/durable";
import {
  type CertificateIssuer,
  certificateLifetimes,
  createIssuingCertificate,
  createRootCertificate,
  IdentityError,
  issueLeaf,
  type KeySecret,
  type KeyStore,
  type SpiffeId,
  thumbprintOf,
} from "@catalyst/identity";
import type { VersionCounter } from "../credentials/auth-store.ts";
import type { AuthEvents } from "../credentials/events.ts";
import type { AuthorityTable, StoredAuthority } from "./authority-store.ts";

export type CertificateAuthorityParts = {
  readonly domain: string;
  readonly database: Database;
  readonly table: AuthorityTable;
  readonly version: VersionCounter;
  readonly keys: KeyStore;
  readonly secret: KeySecret;
  readonly events: AuthEvents;
  readonly now: () => number;
};

const rootFile = "root";
const issuingPrefix = "issuing-";

/** A leaf and the authority above it, DER, as they are shown in a handshake. */
export type IssuedLeaf = {
  readonly chain: readonly Uint8Array[];
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
};

/**
 * The root authority of an organisation and the issuing authority below it: spec/enrolment.md §1. The root's key is in
 * memory only while it signs an issuing authority, once in half a year, and may be elsewhere in between.
 */
export class CertificateAuthority {
  readonly #parts: CertificateAuthorityParts;
  #issuing: CertificateIssuer | null = null;
  #problem: string | null = null;

  private constructor(parts: CertificateAuthorityParts) {
    this.#parts = parts;
  }

  /** Goes on with the authorities that there are, and makes them where there are none. Throws IdentityError or DurableError. */
  static async open(parts: CertificateAuthorityParts): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(parts);
    await authority.#settle();
    if (parts.table.all("root").length === 0) await authority.#makeRoot();
    await authority.keepUp();
    if (authority.#issuing === null) await authority.#openIssuing();
    return authority;
  }

  /** The roots that are believed, DER; the one that signs first. */
  roots(): readonly Uint8Array[] {
    return this.#parts.table.all("root").map(({ certificate }) => certificate);
  }

  /** SHA-256 of the root's certificate, base64url. */
  rootThumbprint(): string {
    return thumbprintOf(this.#newest("root").certificate);
  }

  /** Until when the root and the issuing authority are good. */
  lives(): { readonly root: number; readonly issuing: number } {
    return { root: endOf(this.#newest("root")), issuing: endOf(this.#newest("issuing")) };
  }

  /** Why the issuing authority could not be renewed; null while it need not be. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Signs a certificate with these names. Throws IdentityError `certificate_unusable` when no authority is good. */
  async issue(id: SpiffeId, publicKey: KeyObject, lifetimeMs?: number): Promise<IssuedLeaf> {
    const { now } = this.#parts;
    const issuing = this.#issuing;
    if (issuing === null || new X509Certificate(issuing.certificate).validToDate.getTime() <= now()) {
      throw new IdentityError(
        "certificate_unusable",
        "the issuing authority has expired: bring the root's key back",
      );
    }
    const leaf = await issueLeaf(issuing, publicKey, {
      id,
      now: now(),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    });
    const { serialNumber, validToDate } = new X509Certificate(leaf);
    const chain = [leaf, issuing.certificate];
    return { chain, serial: serialNumber.toLowerCase(), expiresAt: validToDate.getTime() };
  }

  /** Makes a new issuing authority at half of the life of the one before. Without the root's key it says so, and goes on. */
  async keepUp(): Promise<void> {
    const { table, now, keys } = this.#parts;
    const [current] = table.all("issuing");
    if (current !== undefined && now() < current.since + certificateLifetimes.issuingMs / 2) return;
    const isAtHand = (await keys.list()).some(({ name }) => name === rootFile);
    if (isAtHand) return this.#makeIssuing();
    const until = current === undefined ? "is none" : `ends at ${new Date(endOf(current)).toISOString()}`;
    this.#problem = `the issuing authority ${until}, and the root's key is not here: bring ${rootFile}.pem back until then`;
    if (current === undefined) throw new IdentityError("key_not_found", this.#problem);
  }

  async #makeRoot(): Promise<void> {
    const { keys, secret, domain, now, events } = this.#parts;
    const isMade = (await keys.list()).some(({ name }) => name === rootFile);
    if (!isMade) await keys.create(rootFile, "P-384", secret);
    await failpoint("auth.root.key_made");
    const key = await keys.open(rootFile, secret);
    const certificate = await createRootCertificate(key.secret, { domain, now: now() });
    this.#insert({ file: rootFile, role: "root", certificate, since: now() });
    events.authorityMade("root", thumbprintOf(certificate));
  }

  async #makeIssuing(): Promise<void> {
    const { keys, secret, domain, now, events, table } = this.#parts;
    const root = this.#newest("root");
    const opened = await keys.open(rootFile, secret);
    const file = `${issuingPrefix}${randomBytes(8).toString("hex")}`;
    await keys.create(file, "P-256", secret);
    await failpoint("auth.issuing.key_made");
    const own = await keys.open(file, secret);
    const above = { certificate: root.certificate, secret: opened.secret };
    const certificate = await createIssuingCertificate(above, own.secret, { domain, now: now() });
    const before = table.all("issuing");
    this.#insert({ file, role: "issuing", certificate, since: now() }, before);
    this.#issuing = { certificate, secret: own.secret };
    this.#problem = null;
    events.authorityMade("issuing", thumbprintOf(certificate));
    await failpoint("auth.issuing.made");
    for (const each of before) await keys.remove(each.file);
  }

  /** One transaction: what was signed by the ones before stays good, and the root vouches for it. */
  #insert(made: StoredAuthority, before: readonly StoredAuthority[] = []): void {
    const { database, table, version } = this.#parts;
    database.transaction(() => {
      for (const { file } of before) table.remove(file);
      table.insert(made);
      version.bump();
    });
  }

  async #openIssuing(): Promise<void> {
    const { keys, secret } = this.#parts;
    const { file, certificate } = this.#newest("issuing");
    const key = await keys.open(file, secret);
    this.#issuing = { certificate, secret: key.secret };
  }

  /** A key that no certificate was made for was never used: it goes. */
  async #settle(): Promise<void> {
    const { keys, table } = this.#parts;
    const known = table.all("issuing").map(({ file }) => file);
    for (const { name } of await keys.list()) {
      if (name.startsWith(issuingPrefix) && !known.includes(name)) await keys.remove(name);
    }
  }

  #newest(role: StoredAuthority["role"]): StoredAuthority {
    const [newest] = this.#parts.table.all(role);
    if (newest === undefined) throw new IdentityError("key_not_found", `there is no ${role} authority`);
    return newest;
  }
}

function endOf({ certificate }: StoredAuthority): number {
  return new X509Certificate(certificate).validToDate.getTime();
}
