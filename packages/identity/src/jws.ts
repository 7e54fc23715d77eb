import { isUtf8 } from "node:buffer";
import { type KeyObject, sign, verify } from "node:crypto";

/** The header of a token, spec/tokens.md §1: these members in this order and no others. */
export type JwsHeader = {
  readonly alg: string;
  readonly typ?: string;
  readonly kid?: string;
};

/** A JWS in compact form of which nothing is believed yet. */
export type CompactJws = {
  readonly header: JwsHeader;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** What the signature is of: header and payload as they were sent. */
  readonly signed: string;
};

/** Longer than this no token is: it has to fit into a header of a request. */
export const maxJwsLength = 8_192;

const signatureBytes = 64;

/**
 * Reads a JWS with ES256 in compact form: spec/tokens.md §1. Whatever has more than one form is refused, so that every
 * reader reads the same: null for all that is not three parts in base64url of one form, a header of known members in
 * their order that are text, and a signature of 64 bytes.
 */
export function readCompactJws(text: string): CompactJws | null {
  if (text.length > maxJwsLength) return null;
  const parts = text.split(".");
  const [headerPart = "", payloadPart = "", signaturePart = ""] = parts;
  if (parts.length !== 3) return null;
  const header = headerOf(fromBase64Url(headerPart));
  const payload = fromBase64Url(payloadPart);
  const signature = fromBase64Url(signaturePart);
  if (header === null || payload === null || signature?.length !== signatureBytes) return null;
  return { header, payload, signature, signed: `${headerPart}.${payloadPart}` };
}

/** Whether the key signed it with ES256, RFC 7518 §3.4. */
export function isSignedBy({ header, signed, signature }: CompactJws, key: KeyObject): boolean {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (header.alg !== "ES256" || curve !== "prime256v1") return false;
  return verify("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }, signature);
}

/** A JWS in compact form, signed with a P-256 key. */
export function signCompactJws(header: JwsHeader, payload: object, key: KeyObject): string {
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const input = signed.join(".");
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

/**
 * The object that JSON is, if it is written in its one form: UTF-8, no white space, no member twice, and none whose name
 * a reader might sort because it is a number; else null.
 */
export function readCanonicalObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  if (!isUtf8(bytes)) return null;
  const text = Buffer.from(bytes).toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return JSON.stringify(value) === text && hasNames(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Members in one order alone: what reads a header by its first bytes, as Envoy's rules do, reads all of them. */
function headerOf(bytes: Buffer | null): JwsHeader | null {
  const read = bytes === null ? null : readCanonicalObject(bytes);
  if (read === null) return null;
  const { alg, typ, kid } = read;
  if (!isText(alg) || !(typ === undefined || isText(typ)) || !(kid === undefined || isText(kid))) return null;
  const header = { alg, ...(typ !== undefined && { typ }), ...(kid !== undefined && { kid }) };
  return JSON.stringify(header) === JSON.stringify(read) ? header : null;
}

/** Whether the names of all members begin with a letter, however deep they are. */
function hasNames(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  const areNames = Array.isArray(value) || Object.keys(value).every((name) => /^[A-Za-z]/.test(name));
  return areNames && Object.values(value).every(hasNames);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Node reads what no encoder writes: other alphabets, padding, stray characters and bits. Null for all of them. */
function fromBase64Url(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}
