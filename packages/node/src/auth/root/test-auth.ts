import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { loadConfig } from "@catalyst/config";
import { readTokenIssuer, type VerifiedToken, verifyToken } from "@catalyst/identity";
import type { Credentials } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { type NodeConfig, nodeConfig } from "../../options.ts";
import { openAuth } from "./open-auth.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-auth-"));
after(() => rmSync(folder, { recursive: true }));

let made = 0;

/** A folder of its own for one test. */
export const newDataDir = () => join(folder, String(made++));

export const domain = "acme.catalyst.internal";
export const dayMs = 86_400_000;

export function authConfig(auth: object = {}): NodeConfig {
  const text = JSON.stringify({ node: { domain }, auth, telemetry: { listen: "off" } });
  const loaded = loadConfig(nodeConfig, { file: { path: "c.json", text } });
  assert.ok(loaded.ok, "the configuration has a fault");
  return loaded.value;
}

/** The parts of the auth process in a folder, with a clock that the test moves, until they are disposed. */
export async function openTestAuth({ dataDir = newDataDir(), auth = {}, at = 1_800_000_000_000 } = {}) {
  const clock = { now: at };
  const resources = new AsyncDisposableStack();
  const logger = createLogger({ process: "auth", level: "silent" });
  const frame = { config: authConfig(auth), dataDir, logger, metrics: createMetrics() };
  try {
    const parts = await openAuth(frame, resources, () => clock.now);
    return { ...parts, dataDir, clock, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** What somebody who was told no more than the credentials makes of a token. */
export function verifiedBy({ issuers, revoked }: Credentials, token: string, now: number): VerifiedToken {
  const isRevoked = (jti: string) => revoked.some((each) => each.jti === jti);
  return verifyToken(token, { issuers: issuers.map(readTokenIssuer), now, isRevoked });
}
