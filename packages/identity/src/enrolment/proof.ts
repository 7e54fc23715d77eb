import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { encodeMessage } from "./message.ts";

/** Requests for certificates, PKCS #10 in DER, by process. */
export type SigningRequests = Readonly<Record<string, Uint8Array>>;

/** RFC 9266 `tls-exporter`: 32 bytes that both ends of one TLS 1.3 connection know, and nobody else. */
export function exporterOf(socket: TLSSocket): Uint8Array {
  return Uint8Array.from(socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)));
}

/**
 * That whoever sends these requests over this connection has the token's secret, without sending it: HMAC-SHA-256 keyed
 * with the secret, spec/enrolment.md §4.2. It is good on that one connection, and for these requests alone.
 *
 * @param binding what {@link exporterOf} gives on that connection, 32 bytes
 */
export function enrolmentProof(
  secret: Uint8Array,
  binding: Uint8Array,
  requests: SigningRequests,
): Uint8Array {
  const proven = { context: "catalyst-enrolment-1", binding, requests: digestsOf(requests) };
  return Uint8Array.from(createHmac("sha256", secret).update(encodeMessage(proven)).digest());
}

/** Takes as long whatever the difference is. */
export function isProof(given: Uint8Array, expected: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Names a set of requests: the same requests are the same joiner. 32 bytes. */
export function requestsDigest(requests: SigningRequests): Uint8Array {
  return digestOf(encodeMessage(digestsOf(requests)));
}

function digestsOf(requests: SigningRequests): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(Object.entries(requests).map(([process, der]) => [process, digestOf(der)]));
}

/** SHA-256, 32 bytes. */
export function digestOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(hash("sha256", bytes, "buffer"));
}
