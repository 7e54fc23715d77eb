import type { RotationStep, TokenKind } from "@catalyst/identity";
import type { Logger, Metrics } from "@catalyst/telemetry";

/** Everything that the auth process logs and counts, one function per event. A credential is in none of them. */
export type AuthEvents = {
  minted(subject: string): void;
  apiKeyCreated(name: string, id: string): void;
  apiKeyRevoked(name: string, id: string): void;
  rotated(kind: TokenKind, step: RotationStep): void;
  keyLost(kind: TokenKind, kid: string): void;
  upkeepFailed(error: unknown): void;
  authorityMade(role: "root" | "issuing", thumbprint: string): void;
  enrolled(node: string): void;
  renewed(node: string): void;
  enrolmentRefused(code: string): void;
  nodeRevoked(node: string): void;
  connectionRefused(code: string, text: string): void;
};

const words: Readonly<Record<RotationStep["kind"], string>> = {
  make: "a key was made and published",
  promote: "a key signs from now on",
  remove: "a key is published no longer: all that it signed has expired",
};

export function createAuthEvents(logger: Logger, metrics: Metrics): AuthEvents {
  const tokens = metrics.counter("auth_tokens_minted_total", "Access tokens that were minted.", []);
  const created = metrics.counter("auth_api_keys_created_total", "API keys that were made.", []);
  const revoked = metrics.counter("auth_api_keys_revoked_total", "API keys that were revoked.", []);
  const enrolments = metrics.counter("auth_enrolments_total", "Nodes that joined, renewed or were refused.", [
    "outcome",
  ]);
  const steps = metrics.counter("auth_key_rotations_total", "Steps of key rotations.", ["kind", "step"]);
  return {
    minted: (subject) => {
      tokens.inc({});
      logger.debug({ subject }, "an access token was minted");
    },
    apiKeyCreated: (name, id) => {
      created.inc({});
      logger.info({ name, id }, "an API key was made");
    },
    apiKeyRevoked: (name, id) => {
      revoked.inc({});
      logger.info({ name, id }, "an API key was revoked");
    },
    rotated: (kind, step) => {
      steps.inc({ kind, step: step.kind });
      logger.info({ credentials: kind, ...step }, words[step.kind]);
    },
    keyLost: (kind, kid) =>
      logger.error(
        { credentials: kind, kid },
        "a signing key is gone from the disk: another one takes its place",
      ),
    upkeepFailed: (error) => logger.error({ err: error }, "keys could not be rotated: tried again"),
    authorityMade: (role, thumbprint) => logger.info({ role, thumbprint }, "an authority was made"),
    enrolled: (node) => {
      enrolments.inc({ outcome: "enrolled" });
      logger.info({ node }, "a node joined");
    },
    renewed: (node) => {
      enrolments.inc({ outcome: "renewed" });
      logger.info({ node }, "a node's certificates were renewed");
    },
    enrolmentRefused: (code) => {
      enrolments.inc({ outcome: code });
      logger.warn({ code }, "an enrolment or a renewal was refused");
    },
    nodeRevoked: (node) => logger.warn({ node }, "a node was revoked"),
    connectionRefused: (code, text) =>
      logger.warn({ code, text }, "a node was not admitted to the root authority"),
  };
}
