import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { StarError } from "./errors.ts";

/** What a transfer token says: JWT claims (RFC 7519), times in seconds since 1970. */
export type TransferClaims = {
  readonly sub: "transfer";
  /** The file that may be read; must be the path that is asked for, character for character. */
  readonly allow_file: string;
  readonly iat: number;
  readonly exp: number;
  readonly iss: "orbit-nucleus";
  /** One replication, its retries and parallel ranges included. Tokens of old ones have none. */
  readonly jti?: string;
};

/** How long a token is good, in seconds. */
const defaultLifeSeconds = 3_600;
/** How far the clocks of Nucleus and star may differ, in seconds. */
const leewaySeconds = 5;
/** Longer ones are no tokens: a path of 4,095 bytes, escaped and encoded, comes to less. */
const maxTokenLength = 40_000;
/** RFC 7515 §4.1: the only header of a transfer token, but for `typ`. */
const header = Buffer.from(`{"typ":"JWT","alg":"HS256"}`).toString("base64url");
const segment = /^[A-Za-z0-9_-]+$/;

export type MintOptions = {
  /** Seconds since 1970; default now. */
  readonly now?: number;
  /** In seconds; default an hour. */
  readonly lifeSeconds?: number;
  /** Default a new one. */
  readonly jti?: string;
};

/** A token with which one file of a star may be read, signed with HMAC-SHA256 (RFC 7515). */
export function mintTransferToken(secret: string, path: string, options: MintOptions = {}): string {
  const {
    now = Math.floor(Date.now() / 1_000),
    lifeSeconds = defaultLifeSeconds,
    jti = randomUUID(),
  } = options;
  const claims: TransferClaims = {
    sub: "transfer",
    allow_file: path,
    iat: now,
    exp: now + lifeSeconds,
    iss: "orbit-nucleus",
    jti,
  };
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${signed}.${macOf(secret, signed).toString("base64url")}`;
}

/**
 * The claims of a token that is good for the path at a time in seconds since 1970. Throws StarError `token_invalid`,
 * `token_expired` and `token_mismatch`; none of them says anything about the secret or the token's bytes.
 */
export function verifyTransferToken(
  secret: string,
  token: string,
  path: string,
  now: number,
): TransferClaims {
  const parts = token.length > maxTokenLength ? [] : token.split(".");
  const [head = "", body = "", mac = ""] = parts;
  if (parts.length !== 3 || ![head, body, mac].every((part) => segment.test(part)))
    throw invalid("it is no JWT");
  const given = Buffer.from(mac, "base64url");
  const ours = macOf(secret, `${head}.${body}`);
  // One spelling of each signature: base64url can be written with other last bits.
  const isOurs =
    given.length === ours.length && timingSafeEqual(given, ours) && given.toString("base64url") === mac;
  if (!isOurs) throw invalid("its signature is not of this star's secret");
  checkHeader(parsed(head));
  const claims = checkClaims(parsed(body), now);
  if (claims.exp + leewaySeconds <= now)
    throw new StarError("token_expired", "the transfer token has expired");
  if (claims.allow_file !== path)
    throw new StarError("token_mismatch", "the transfer token is good for another file");
  return claims;
}

function macOf(secret: string, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}

function parsed(part: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw invalid("it is no JWT");
}

/** RFC 8725 §3.1: the algorithm is ours to choose. RFC 7515 §4.1.11: what must be understood is not. */
function checkHeader({ alg, crit, typ }: Readonly<Record<string, unknown>>): void {
  if (alg !== "HS256") throw invalid("its algorithm is not HS256");
  if (crit !== undefined) throw invalid("it has critical headers");
  if (typ !== undefined && typ !== "JWT") throw invalid("it is no JWT");
}

function checkClaims(claims: Readonly<Record<string, unknown>>, now: number): TransferClaims {
  const { sub, iss, allow_file, iat, exp, jti, nbf } = claims;
  if (iss !== "orbit-nucleus") throw invalid("its issuer is not the Nucleus");
  if (sub !== "transfer") throw invalid("it is not for a transfer");
  if (typeof allow_file !== "string" || !isTime(iat) || !isTime(exp)) throw invalid("it lacks a claim");
  if (jti !== undefined && (typeof jti !== "string" || jti.length === 0 || jti.length > 128))
    throw invalid("its jti is none");
  if (nbf !== undefined && !(isTime(nbf) && nbf - leewaySeconds <= now)) throw invalid("it is not good yet");
  return { sub, iss, allow_file, iat, exp, ...(jti === undefined ? {} : { jti }) };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function invalid(words: string): StarError {
  return new StarError("token_invalid", `the transfer token is refused: ${words}`);
}
