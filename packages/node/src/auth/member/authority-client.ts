import { hash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import {
  admit,
  authoritiesOf,
  chainOf,
  decodeEnrolmentAnswer,
  decodeMessage,
  domainRoot,
  type EnrolmentAnswer,
  encodeEnrolmentRequest,
  encodeMessage,
  encodeRenewalRequest,
  enrolmentProof,
  exporterOf,
  IdentityError,
  type JoinToken,
  joinTokenId,
  type PeerTrust,
  type ProcessIdentity,
  readPeerCertificate,
  readTrustDocument,
  type SigningRequests,
  type TrustDocument,
} from "@catalyst/identity";
import { RpcError, type TokenOrder, watchTimeoutMs } from "@catalyst/rpc";
import { z } from "zod";
import { dialTls, firstToAnswer, systemReason } from "../../dial-tls.ts";

/** What OpenSSL says of a chain that does not end at the root that is believed. */
const unproven: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
  "INVALID_CA",
]);

/** How a node reaches the root authority of its organisation. */
export type AuthorityCall = {
  readonly addresses: readonly string[];
  readonly domain: string;
  readonly trust: PeerTrust;
  /** What the node shows; a joiner has nothing yet. */
  readonly identity?: ProcessIdentity;
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
  /** Is told what time it is at the authority, as it says with each answer: milliseconds since 1970. */
  readonly onDate?: (at: number) => void;
};

/** What the authority says is its last word; only where it is not heard, another address is asked. */
const authority = { unreachable: "authority_unreachable", nobody: "the root authority" } as const;
const answerMs = 15_000;
/** A field of HTTP has whole seconds: on average it was half a second later. */
const halfSecondMs = 500;
const maxAnswerBytes = 16_777_216;
const maxRootBytes = 8_192;

const refused = z.object({ code: z.string(), text: z.string().max(2_048) });
const minted = z.object({ token: z.string(), jti: z.string(), expiresAt: z.iso.datetime() });

/**
 * Joins with a token: pins the root, proves that it has the secret, and returns what the node is certified by. Of what is
 * sent before the root is pinned nothing is secret. Throws {@link IdentityError} `join_token_expired` or `root_mismatch`,
 * RpcError `authority_unreachable` or `enrolment_refused`.
 */
export async function enrol(
  token: JoinToken,
  requests: SigningRequests,
  now: () => number = Date.now,
): Promise<EnrolmentAnswer> {
  if (now() >= token.expires * 1_000) {
    const since = new Date(token.expires * 1_000).toISOString();
    throw new IdentityError(
      "join_token_expired",
      `the join token expired at ${since}: make a new one at the root`,
    );
  }
  const root = domainRoot(token.domain, await pinRoot(token));
  const { addresses, domain } = token;
  const call = { addresses, domain, trust: { roots: [root], pinned: [], denied: [] }, now };
  const body = (socket: TLSSocket): Uint8Array => {
    const binding = exporterOf(socket);
    const proof = enrolmentProof(token.secret, binding, requests);
    return encodeEnrolmentRequest({ token: joinTokenId(token.secret), requests, proof });
  };
  const answer = decodeEnrolmentAnswer(await ask(call, { method: "POST", path: "/enrol", body }));
  if (answer.domain !== domain || answer.node !== token.node || answer.trust.domain !== domain) {
    throw new IdentityError(
      "message_malformed",
      "the root authority answered for another node than the token's",
    );
  }
  return answer;
}

/** Renews what a node is certified by. Throws as {@link enrol} does. */
export async function renew(call: AuthorityCall, requests: SigningRequests): Promise<EnrolmentAnswer> {
  const body = () => encodeRenewalRequest(requests);
  return decodeEnrolmentAnswer(await ask(call, { method: "POST", path: "/renew", body }));
}

/** What is believed in the organisation, as soon as its version is another than `after`. Throws as {@link renew} does. */
export async function watchTrust(
  call: AuthorityCall,
  after: number,
  signal?: AbortSignal,
): Promise<TrustDocument> {
  const path = `/trust?after=${after}`;
  const answer = await ask(call, {
    method: "GET",
    path,
    timeoutMs: watchTimeoutMs, // until the answer begins; once begun it has `answerMs`
    ...(signal === undefined ? {} : { signal }),
  });
  const document = readTrustDocument(Buffer.from(answer).toString("utf8"));
  if (document.domain === call.domain) return document;
  throw new IdentityError(
    "message_malformed",
    `a trust document of ${document.domain} is not one of ${call.domain}`,
  );
}

/** What the signing service signs: a token for a process of this node, or for a person or a program. */
export type RemoteToken =
  | { readonly process: string; readonly services: readonly string[]; readonly ttlMs: number }
  | TokenOrder;

/** Has the signing service sign a token. Throws as {@link renew} does. */
export async function signRemotely(call: AuthorityCall, asked: RemoteToken) {
  const given: Record<string, string | number | readonly string[]> = {};
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) given[name] = value;
  const body = () => encodeMessage(given);
  const answer = await ask(call, { method: "POST", path: "/token", body });
  return minted.parse(decodeMessage(answer, "message_malformed"));
}

/** The certificate whose digest the token has, from whoever answers: a digest needs no trust in the messenger. */
async function pinRoot(token: JoinToken): Promise<Uint8Array> {
  const options = { rejectUnauthorized: false };
  const root = await firstToAnswer(token.addresses, authority, async (address) => {
    const socket = await open(address, options);
    return exchange(socket, { method: "GET", path: "/root", maxBytes: maxRootBytes });
  });
  if (hash("sha256", root, "hex") === Buffer.from(token.root).toString("hex")) return Uint8Array.from(root);
  throw new IdentityError(
    "root_mismatch",
    `whoever answers at ${token.addresses.join(", ")} is not the root of ${token.domain}: nothing was sent to it; correct the address, and see who is in between`,
  );
}

type Question = {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Made for the connection that it is sent on. */
  readonly body?: (socket: TLSSocket) => Uint8Array;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
};

/** Asks the root authority, and nobody who is not it: TLS validates its path, and its names are looked at. */
async function ask(
  { addresses, domain, trust, identity, now = Date.now, onDate }: AuthorityCall,
  question: Question,
): Promise<Uint8Array<ArrayBuffer>> {
  const roots = trust.roots.map(({ certificate }) => certificate);
  const options: ConnectionOptions = {
    ca: [...authoritiesOf(trust)],
    checkServerIdentity: () => undefined, // names are of SPIFFE, and looked at below
    ...(identity === undefined ? {} : { cert: identity.certificateChain, key: identity.privateKey }),
  };
  return firstToAnswer(addresses, authority, async (address) => {
    const socket = await open(address, options);
    const certificate = readPeerCertificate(chainOf(socket), roots);
    const admission = admit({ certificate, protocol: "authority", expected: { domain }, now: now() }, trust);
    if (admission.kind === "admitted") return exchange(socket, question, onDate);
    socket.destroy();
    throw new IdentityError(
      "root_mismatch",
      `${address} is not the root authority of ${domain}: ${admission.text}`,
    );
  });
}

async function open(address: string, options: ConnectionOptions): Promise<TLSSocket> {
  return dialTls(address, options).catch((cause: unknown) => {
    throw unreachable(cause);
  });
}

/** One request on a connection, which ends with it. No redirect is followed, and no answer is longer than it may be. */
async function exchange(
  socket: TLSSocket,
  question: Question,
  onDate?: AuthorityCall["onDate"],
): Promise<Uint8Array<ArrayBuffer>> {
  const { method, path, body, timeoutMs = answerMs, maxBytes = maxAnswerBytes, signal } = question;
  const slow = new AbortController();
  let patience = setTimeout(() => slow.abort(), timeoutMs);
  const until = AbortSignal.any([slow.signal, ...(signal === undefined ? [] : [signal])]);
  const content = body?.(socket);
  const headers =
    content === undefined ? {} : { "content-type": "application/cbor", "content-length": content.length };
  try {
    const sent = request({ method, path, headers, createConnection: () => socket, signal: until });
    sent.end(content);
    const [response] = (await once(sent, "response", { signal: until })) as [IncomingMessage];
    clearTimeout(patience);
    patience = setTimeout(() => slow.abort(), answerMs); // who has begun to answer may not take all day
    const date = Date.parse(response.headers.date ?? "");
    if (!Number.isNaN(date)) onDate?.(date + halfSecondMs);
    const answer = await readAll(response, maxBytes);
    if (response.statusCode === 200) return answer;
    throw refusalOf(answer, response.statusCode ?? 0);
  } catch (cause) {
    if (cause instanceof RpcError || cause instanceof IdentityError) throw cause;
    throw unreachable(slow.signal.aborted ? "it answers too slowly" : cause);
  } finally {
    clearTimeout(patience);
    socket.destroy();
  }
}

async function readAll(response: AsyncIterable<Buffer>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response) {
    length += part.length;
    if (length > maxBytes)
      throw new IdentityError("message_malformed", `the answer has more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** A refusal is an answer of the authority; where it failed itself, asking later may help. */
function refusalOf(answer: Uint8Array, status: number): RpcError {
  const text = refusalIn(answer) ?? `it answered with status ${status}`;
  return new RpcError(status >= 500 ? "authority_unreachable" : "enrolment_refused", text);
}

function refusalIn(answer: Uint8Array): string | null {
  try {
    const { code, text } = refused.parse(decodeMessage(answer, "message_malformed"));
    return `${text} (${code})`;
  } catch {
    return null; // whatever it says, it is no refusal of ours
  }
}

function unreachable(cause: unknown): RpcError {
  const code = systemReason(cause);
  const reason = unproven.has(code)
    ? `whoever answers cannot prove to be it (${code}): see who is in between`
    : code;
  return new RpcError("authority_unreachable", reason, { cause });
}
