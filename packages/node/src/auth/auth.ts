import { join } from "node:path";
import { openDatabase } from "@catalyst/durable";
import { openKeyStore, type RotationTimings, type TokenIssuer, type TokenKind } from "@catalyst/identity";
import { authContract } from "@catalyst/rpc";
import { Ledger } from "../ledger.ts";
import type { NodeConfig } from "../options.ts";
import { readSecret } from "../passphrase.ts";
import { paths } from "../paths.ts";
import { type ProcessFrame, runProcess } from "../process.ts";
import { ApiKeyTable, authMigrations, SigningKeyTable, VersionCounter } from "./auth-store.ts";
import { AuthView } from "./auth-view.ts";
import { Authority } from "./authority.ts";
import { Bulletin, lingerMs } from "./bulletin.ts";
import { maxAgeSeconds, serveDiscovery } from "./discovery-server.ts";
import { createAuthEvents, exposeAuth } from "./events.ts";
import { KeyRing } from "./key-ring.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
const upkeepMs = 30_000;
/** Everybody who asked for the public keys asks again before a key signs that was not among them. */
const publishAheadMs = 2 * maxAgeSeconds * 1_000;

/** The auth process: keeps the keys that sign credentials, gives credentials and takes them back. */
export function runAuth(config: NodeConfig, dataDir: string): Promise<void> {
  return runProcess("auth", authContract, config, dataDir, async (frame, resources) => {
    const { authority, bulletin, rings, view, issuers, events } = await openParts(frame, resources);
    const jwks = () => [...rings.tokens.jwks(), ...rings.apikeys.jwks()];
    const { issuer } = issuers.tokens;
    resources.use(await serveDiscovery({ socketPath: paths.jwksSocket(dataDir), issuer, jwks }));
    const timer = setInterval(() => {
      authority.keepUp().then(
        () => view.upkeepEnded(null),
        (error: Error) => {
          view.upkeepEnded(error);
          events.upkeepFailed(error);
        },
      );
    }, upkeepMs);
    resources.defer(() => clearInterval(timer));
    return {
      details: () => view.details(),
      readiness: () => ({ ready: true, reasons: view.reasons() }),
      drain: async () => bulletin.close(),
      implementation: {
        check: () => view.check(),
        explain: ({ subject, name }) => view.explain(subject, name),
        credentials: () => bulletin.current(),
        watch: ({ after }) => bulletin.after(after),
        mint: (request) => authority.mint(request),
        signingKeys: () => authority.signingKeys(),
        rotate: (request) => authority.rotate(request),
        createApiKey: (request) => authority.createApiKey(request),
        apiKeys: (request) => authority.listApiKeys(request),
        revokeApiKey: (request) => authority.revokeApiKey(request),
      },
    };
  });
}

async function openParts(
  { config, dataDir, logger, metrics }: ProcessFrame,
  resources: AsyncDisposableStack,
) {
  const { auth, node } = config;
  const now = Date.now;
  const issuers = issuersOf(config);
  const events = createAuthEvents(logger, metrics);
  const ledger = resources.use(
    await Ledger.open({
      issuer: `${node.name}.${node.domain}`,
      keysFolder: paths.keys(dataDir),
      passphraseFile: auth.passphraseFile,
      auditFolder: paths.audit(dataDir, "auth"),
    }),
  );
  const database = resources.use(openDatabase(join(dataDir, "auth.db"), { migrations: authMigrations }));
  const table = new SigningKeyTable(database);
  const version = new VersionCounter(database);
  const apiKeys = new ApiKeyTable(database);
  const keys = await openKeyStore(paths.signingKeys(dataDir));
  let announce = () => {};
  const onChange = () => announce();
  const ringOf = (kind: TokenKind, rotateAfterDays: number) => {
    const timings: RotationTimings = { rotateAfterMs: rotateAfterDays * dayMs, publishAheadMs, lingerMs };
    const secret = readSecret(auth.passphraseFile);
    return KeyRing.open({ kind, database, table, version, keys, secret, timings, now, events, onChange });
  };
  const rings = {
    tokens: await ringOf("tokens", auth.keys.rotateTokensAfterDays),
    apikeys: await ringOf("apikeys", auth.keys.rotateApiKeysAfterDays),
  };
  const bulletin = new Bulletin({ issuers, rings, apiKeys, version });
  announce = () => bulletin.announce();
  const shared = { issuers, rings, apiKeys, version, ledger, now };
  const authority = new Authority({ ...shared, database, events, onChange });
  const view = new AuthView({ ...shared, issuer: issuers.tokens.issuer, authority });
  exposeAuth(metrics, shared, now);
  return { ...shared, authority, bulletin, view, events };
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
