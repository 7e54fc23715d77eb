import type { ApiKey, ApiKeyState } from "@catalyst/rpc";
import type { ApiKeyRecord } from "./auth-store.ts";

/** What is looked at to tell whether a key is taken. */
type Lifetime = Pick<ApiKeyRecord, "createdAt" | "expiresAt" | "revokedAt">;

/** Whether a key is taken now, by the same rules by which it is verified: spec/tokens.md §3, steps 8, 10 and 11. */
export function stateOf(key: Lifetime, maxLifetimeMs: number, now: number): ApiKeyState {
  if (key.revokedAt !== null) return "revoked";
  if (key.expiresAt <= now) return "expired";
  return lifetimeMs(key) > maxLifetimeMs ? "overlong" : "good";
}

/** From `iat` to `exp`, which are whole seconds. */
export function lifetimeMs({ createdAt, expiresAt }: Pick<Lifetime, "createdAt" | "expiresAt">): number {
  return expiresAt - Math.floor(createdAt / 1_000) * 1_000;
}

/** A key as others are told of it. */
export function shown(key: Omit<ApiKeyRecord, "isUnaudited">, maxLifetimeMs: number, now: number): ApiKey {
  const { id, name, createdAt, expiresAt, revokedAt, services } = key;
  return {
    id,
    name,
    services: [...services],
    createdAt: timeOf(createdAt),
    expiresAt: timeOf(expiresAt),
    revokedAt: revokedAt === null ? null : timeOf(revokedAt),
    state: stateOf(key, maxLifetimeMs, now),
  };
}

/** Milliseconds since 1970 as everybody is told them. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
