import { formatAuditHead } from "@catalyst/evidence";
import type { TokenIssuer, TokenKind } from "@catalyst/identity";
import { type CheckResult, type Decision, RpcError } from "@catalyst/rpc";
import type { Metrics } from "@catalyst/telemetry";
import type { Ledger } from "../../audit/ledger.ts";
import { checked, notExplainable } from "../../process.ts";
import { lifetimeMs, stateOf, timeOf } from "./api-key.ts";
import type { ApiKeyTable, VersionCounter } from "./auth-store.ts";
import type { CredentialIssuer } from "./credential-issuer.ts";
import type { KeyRing } from "./key-ring.ts";

export type AuthViewParts = {
  readonly issuers: Readonly<Record<TokenKind, Omit<TokenIssuer, "keys">>>;
  readonly credentialIssuer: CredentialIssuer;
  readonly rings: Readonly<Record<TokenKind, KeyRing>>;
  readonly apiKeys: ApiKeyTable;
  readonly version: VersionCounter;
  readonly ledger: Ledger;
  readonly now: () => number;
};

/** An API key that expires within this time is told of. */
const soonMs = 7 * 86_400_000;

/** What the auth process knows, for `status`, `check` and `explain`. Credentials are in none of it. */
export class AuthView {
  readonly #parts: AuthViewParts;
  #problem: string | null = null;

  constructor(parts: AuthViewParts) {
    this.#parts = parts;
  }

  /** Why keys could not be rotated when that was tried last; null when they could. */
  upkeepEnded(error: Error | null): void {
    this.#problem = error?.message ?? null;
  }

  details() {
    const { issuers, credentialIssuer, apiKeys, version, ledger, now } = this.#parts;
    return {
      issuer: issuers.tokens.issuer,
      version: version.current,
      keys: credentialIssuer.signingKeys(),
      apiKeys: {
        live: apiKeys.countLive(now(), issuers.apikeys.maxLifetimeMs),
        revoked: apiKeys.denied().length,
      },
      auditHead: formatAuditHead(ledger.head),
    };
  }

  reasons(): string[] {
    return this.#problem === null ? [] : [`keys could not be rotated: ${this.#problem}`];
  }

  check(): CheckResult[] {
    const { apiKeys, now } = this.#parts;
    const expiring = apiKeys.expiringBy(now(), now() + soonMs);
    const names = expiring.map(({ name, expiresAt }) => `${name} on ${new Date(expiresAt).toISOString()}`);
    return [
      checked(
        "auth.keys",
        "the keys that sign credentials are rotated in time",
        this.#problem === null
          ? null
          : {
              detail: this.#problem,
              hint: "mend that: until then the keys that there are go on signing",
            },
      ),
      checked(
        "auth.apikeys",
        "no API key expires within a week",
        names.length === 0
          ? null
          : {
              outcome: "warning",
              detail: `${names.join(", ")}`,
              hint: "give who uses them new ones with `catalyst apikey create`, and revoke the old",
            },
      ),
    ];
  }

  /** Throws `not_explainable` for another subject than an API key, `api_key_unknown` for none. */
  explain(subject: string, name: string): Decision {
    if (subject !== "apikey") throw notExplainable("auth", subject, ["apikey"]);
    const { apiKeys, issuers, now } = this.#parts;
    const { maxLifetimeMs } = issuers.apikeys;
    const found = apiKeys.find(name);
    if (found === undefined) throw new RpcError("api_key_unknown", `there is no API key ${name}`);
    const { id, services, createdAt, expiresAt, revokedAt } = found;
    const isExpired = expiresAt <= now();
    const isOverlong = lifetimeMs(found) > maxLifetimeMs;
    return {
      question: `is the API key ${found.name} good?`,
      asOf: timeOf(now()),
      inputs: { id, name: found.name, services, createdAt: timeOf(createdAt), expiresAt: timeOf(expiresAt) },
      steps: [
        { rule: "it was made", outcome: timeOf(createdAt) },
        { rule: "it is good for", outcome: services.includes("*") ? "all services" : services.join(", ") },
        { rule: "its time is over", outcome: `${isExpired ? "since" : "no: it ends"} ${timeOf(expiresAt)}` },
        {
          rule: "it was given for longer than auth.keys.maxApiKeyDays",
          outcome: isOverlong ? `yes: that is ${maxLifetimeMs / 86_400_000} now` : "no",
        },
        { rule: "it was revoked", outcome: revokedAt === null ? "no" : timeOf(revokedAt) },
      ],
      result: stateOf(found, maxLifetimeMs, now()),
    };
  }
}

/** What is counted only when somebody asks. */
export function exposeAuth(
  metrics: Metrics,
  { rings, apiKeys, issuers, now }: Pick<AuthViewParts, "rings" | "apiKeys" | "issuers" | "now">,
): void {
  metrics.readGauge("auth_api_keys", "API keys that are good, and those revoked early.", ["state"], () => [
    [{ state: "live" }, apiKeys.countLive(now(), issuers.apikeys.maxLifetimeMs)],
    [{ state: "revoked" }, apiKeys.denied().length],
  ]);
  metrics.readGauge("auth_signing_key_age_seconds", "For how long the key has signed.", ["kind"], () =>
    (["tokens", "apikeys"] as const).flatMap((kind) => {
      const signing = rings[kind].all().find(({ state }) => state === "signing");
      return signing === undefined ? [] : [[{ kind }, (now() - signing.since) / 1_000]];
    }),
  );
}
