import { openDatabase } from "@catalyst/durable";
import { openKeyStore, type RotationTimings, type TokenIssuer, type TokenKind } from "@catalyst/identity";
import { Ledger } from "../../audit/ledger.ts";
import { readSecret } from "../../identity/passphrase.ts";
import type { NodeConfig } from "../../options.ts";
import { paths } from "../../paths.ts";
import type { ProcessFrame } from "../../process.ts";
import { ApiKeyTable, authMigrations, SigningKeyTable, VersionCounter } from "../credentials/auth-store.ts";
import { AuthView, exposeAuth } from "../credentials/auth-view.ts";
import { BelievedKeys } from "../credentials/believed-keys.ts";
import { CredentialIssuer } from "../credentials/credential-issuer.ts";
import { CredentialsPublisher, lingerMs } from "../credentials/credentials-publisher.ts";
import { maxAgeSeconds } from "../credentials/discovery-server.ts";
import { createAuthEvents } from "../credentials/events.ts";
import { KeyRing } from "../credentials/key-ring.ts";
import { RevokedTokenTable } from "../credentials/revoked-tokens.ts";
import { openRegistry } from "./open-registry.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** Everybody who asked for the public keys asks again before a key signs that was not among them. */
const publishAheadMs = 2 * maxAgeSeconds * 1_000;

/**
 * Opens what the auth process keeps, in its data directory, and puts together what works on it; `now` in milliseconds
 * since 1970. Throws DurableError, IdentityError or EvidenceError for what cannot be used.
 */
export async function openAuth(
  { config, dataDir, logger, metrics }: Pick<ProcessFrame, "config" | "dataDir" | "logger" | "metrics">,
  resources: AsyncDisposableStack,
  now: () => number = Date.now,
) {
  const { auth, node } = config;
  const issuers = issuersOf(config);
  const events = createAuthEvents(logger, metrics);
  const ledger = resources.use(
    await Ledger.open({
      issuer: `${node.name}.${node.domain}`,
      keysFolder: paths.keys(dataDir),
      passphraseFile: auth.passphraseFile,
      auditFolder: paths.audit(dataDir, "auth"),
      now,
    }),
  );
  const database = resources.use(openDatabase(paths.authDatabase(dataDir), { migrations: authMigrations }));
  const keyTable = new SigningKeyTable(database);
  const version = new VersionCounter(database);
  const apiKeys = new ApiKeyTable(database);
  const revokedTokens = new RevokedTokenTable(database);
  const keys = await openKeyStore(paths.signingKeys(dataDir));
  const secret = readSecret(auth.passphraseFile);
  let announce = () => {};
  const onChange = () => announce();
  const ringOf = (kind: TokenKind, rotateAfterDays: number) => {
    const timings: RotationTimings = { rotateAfterMs: rotateAfterDays * dayMs, publishAheadMs, lingerMs };
    return KeyRing.open({
      kind,
      database,
      table: keyTable,
      version,
      keys,
      secret,
      timings,
      now,
      events,
      onChange,
    });
  };
  const rings = {
    tokens: await ringOf("tokens", auth.keys.rotateTokensAfterDays),
    apikeys: await ringOf("apikeys", auth.keys.rotateApiKeysAfterDays),
  };
  const believed = new BelievedKeys(auth.identity.jwksFile);
  const credentialsPublisher = new CredentialsPublisher({
    issuers,
    rings,
    apiKeys,
    revokedTokens,
    version,
    believed: () => believed.keys,
  });
  const onTrust: (() => void)[] = [];
  announce = () => {
    credentialsPublisher.announce();
    for (const tell of onTrust) tell();
  };
  const shared = { issuers, rings, apiKeys, revokedTokens, version, ledger, now };
  const credentialIssuer = new CredentialIssuer({ ...shared, database, events, onChange });
  const authorityKeys = await openKeyStore(paths.authorityKeys(dataDir));
  const registry = await openRegistry(
    {
      ...shared,
      database,
      keys: authorityKeys,
      secret,
      events,
      credentialsPublisher,
      onChange,
      tokenKeys: rings.tokens,
    },
    config,
  );
  const view = new AuthView({ ...shared, credentialIssuer });
  exposeAuth(metrics, shared);
  const listen = (tell: () => void) => void onTrust.push(tell);
  const believedChanged = () => {
    database.transaction(() => version.bump());
    onChange();
  };
  const told = { onTrust: listen, credentialsPublisher, view, events, believed, believedChanged };
  return { ...shared, ...registry, ...told, database, credentialIssuer };
}

/** Whose credentials there are: two issuers, so that a key of one kind signs nothing of the other. */
function issuersOf({ auth, node }: NodeConfig): Record<TokenKind, Omit<TokenIssuer, "keys">> {
  const issuer = `https://${node.domain}`;
  const audience = node.domain;
  return {
    tokens: { kind: "tokens", issuer, audience, maxLifetimeMs: auth.keys.maxTokenMinutes * minuteMs },
    apikeys: {
      kind: "apikeys",
      issuer: `${issuer}/apikeys`,
      audience,
      maxLifetimeMs: auth.keys.maxApiKeyDays * dayMs,
    },
  };
}
