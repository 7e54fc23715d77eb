import type { Database } from "@catalyst/durable";
import type { KeySecret, KeyStore } from "@catalyst/identity";
import type { Ledger } from "../../audit/ledger.ts";
import type { NodeConfig } from "../../options.ts";
import type { VersionCounter } from "../credentials/auth-store.ts";
import type { CredentialsPublisher } from "../credentials/credentials-publisher.ts";
import type { AuthEvents } from "../credentials/events.ts";
import type { KeyRing } from "../credentials/key-ring.ts";
import { AuthorityTable, CertificateTable, DenialTable, JoinTokenTable } from "./authority-store.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { JoinTokens } from "./join-tokens.ts";
import { Registrar } from "./registrar.ts";
import { TrustPublisher } from "./trust-publisher.ts";

export type RegistryParts = {
  readonly database: Database;
  readonly keys: KeyStore;
  readonly secret: KeySecret;
  readonly version: VersionCounter;
  readonly ledger: Ledger;
  readonly credentialsPublisher: CredentialsPublisher;
  readonly tokenKeys: KeyRing;
  readonly events: AuthEvents;
  readonly now: () => number;
  readonly onChange: () => void;
};

/** Opens the authorities of an organisation, and puts together who admits to it. Throws IdentityError or DurableError. */
export async function openRegistry(parts: RegistryParts, { auth, node }: NodeConfig) {
  const { database, credentialsPublisher, tokenKeys } = parts;
  const { domain, name } = node;
  const certificateAuthority = await CertificateAuthority.open({
    ...parts,
    domain,
    table: new AuthorityTable(database),
  });
  const denials = new DenialTable(database);
  const certificates = new CertificateTable(database);
  const reached: { current: readonly string[] } = { current: auth.authority.addresses };
  const addresses = () => reached.current;
  const trustPublisher = new TrustPublisher({
    domain,
    addresses,
    certificateAuthority,
    denials,
    tokenKeys,
    credentialsPublisher,
  });
  const tokens = new JoinTokenTable(database);
  const own = { domain, node: name, certificateAuthority, tokens, certificates, denials };
  const registrar = new Registrar({ ...parts, ...own, trustPublisher });
  const joinTokens = new JoinTokens({ ...parts, ...own, addresses, table: tokens });
  return {
    certificateAuthority,
    trustPublisher,
    registrar,
    joinTokens,
    certificates,
    denials,
    addresses: reached,
  };
}
