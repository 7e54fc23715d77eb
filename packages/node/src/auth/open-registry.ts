import type { Database } from "@catalyst/durable";
import type { KeySecret, KeyStore } from "@catalyst/identity";
import type { Ledger } from "../ledger.ts";
import type { NodeConfig } from "../options.ts";
import type { VersionCounter } from "./auth-store.ts";
import { AuthorityTable, CertificateTable, DenialTable, JoinTokenTable } from "./authority-store.ts";
import type { Bulletin } from "./bulletin.ts";
import { CertificateOffice } from "./certificate-office.ts";
import type { AuthEvents } from "./events.ts";
import { JoinTokens } from "./join-tokens.ts";
import type { KeyRing } from "./key-ring.ts";
import { Registrar } from "./registrar.ts";
import { TrustBoard } from "./trust-board.ts";

export type RegistryParts = {
  readonly database: Database;
  readonly keys: KeyStore;
  readonly secret: KeySecret;
  readonly version: VersionCounter;
  readonly ledger: Ledger;
  readonly bulletin: Bulletin;
  readonly tokenKeys: KeyRing;
  readonly events: AuthEvents;
  readonly now: () => number;
  readonly onChange: () => void;
};

/** Opens the authorities of an organisation, and puts together who admits to it. Throws IdentityError or DurableError. */
export async function openRegistry(parts: RegistryParts, { auth, node }: NodeConfig) {
  const { database, bulletin, tokenKeys } = parts;
  const { domain, name } = node;
  const office = await CertificateOffice.open({ ...parts, domain, table: new AuthorityTable(database) });
  const denials = new DenialTable(database);
  const certificates = new CertificateTable(database);
  const reached: { current: readonly string[] } = { current: auth.authority.addresses };
  const addresses = () => reached.current;
  const board = new TrustBoard({ domain, addresses, office, denials, tokenKeys, bulletin });
  const tokens = new JoinTokenTable(database);
  const own = { domain, node: name, office, tokens, certificates, denials };
  const registrar = new Registrar({ ...parts, ...own, board });
  const joinTokens = new JoinTokens({ ...parts, ...own, addresses, table: tokens });
  return { office, board, registrar, joinTokens, certificates, denials, addresses: reached };
}
