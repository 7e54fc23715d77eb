import { z } from "@catalyst/config";
import { maxRequestBytes } from "../certificate/signing-request.ts";
import { IdentityError } from "../errors.ts";
import { decodeMessage, encodeMessage } from "./message.ts";
import type { SigningRequests } from "./proof.ts";
import { readTrustDocument, type TrustDocument } from "./trust-document.ts";

/** The processes of a node that have certificates. `authority` is in none of them: it is the root's own. */
export const certifiedProcesses = ["auth", "content", "envoy", "gateway", "orchestrator"] as const;
export type CertifiedProcess = (typeof certifiedProcesses)[number];

const certificate = z.instanceof(Uint8Array).refine(({ length }) => length > 0 && length <= 8_192);
const signingRequest = z
  .instanceof(Uint8Array)
  .refine(({ length }) => length > 0 && length <= maxRequestBytes);
const requests = z
  .partialRecord(z.enum(certifiedProcesses), signingRequest)
  .refine((given) => Object.keys(given).length > 0, "asks for nothing");
const chains = z.partialRecord(z.enum(certifiedProcesses), z.array(certificate).min(1).max(3));

const enrolmentRequest = z.object({
  /** `joinTokenId` of the token's secret. */
  token: z.string().regex(/^[0-9a-f]{16}$/),
  requests,
  proof: z.instanceof(Uint8Array).refine(({ length }) => length === 32),
});
/** What a joiner sends: spec/enrolment.md §4.2. */
export type EnrolmentRequest = {
  readonly token: string;
  readonly requests: SigningRequests;
  /** 32 bytes: `enrolmentProof`. */
  readonly proof: Uint8Array;
};

const renewalRequest = z.object({ requests });

const enrolmentAnswer = z.object({ domain: z.string(), node: z.string(), chains, trust: z.string() });
/** What a node is given: its certificates by process, the leaf first, and what is believed in its organisation. */
export type EnrolmentAnswer = {
  readonly domain: string;
  readonly node: string;
  readonly chains: Readonly<Partial<Record<CertifiedProcess, readonly Uint8Array[]>>>;
  readonly trust: TrustDocument;
};

export function encodeEnrolmentRequest(request: EnrolmentRequest): Uint8Array {
  return encodeMessage({ ...request });
}

/** Throws {@link IdentityError} `message_malformed`; members that it does not know are passed over. */
export function decodeEnrolmentRequest(bytes: Uint8Array): EnrolmentRequest {
  const { requests, ...rest } = read(enrolmentRequest, bytes);
  return { ...rest, requests: given(requests) };
}

export function encodeRenewalRequest(requested: SigningRequests): Uint8Array {
  return encodeMessage({ requests: requested });
}

/** Throws {@link IdentityError} `message_malformed`. */
export function decodeRenewalRequest(bytes: Uint8Array): SigningRequests {
  return given(read(renewalRequest, bytes).requests);
}

export function encodeEnrolmentAnswer({ domain, node, chains, trust }: EnrolmentAnswer): Uint8Array {
  return encodeMessage({ domain, node, chains: given(chains), trust: JSON.stringify(trust) });
}

/** Throws {@link IdentityError} `message_malformed`. */
export function decodeEnrolmentAnswer(bytes: Uint8Array): EnrolmentAnswer {
  const { trust, chains, ...rest } = read(enrolmentAnswer, bytes);
  return { ...rest, chains: given(chains), trust: readTrustDocument(trust) };
}

/** Without members that are there and undefined. */
function given<Value>(record: Readonly<Partial<Record<string, Value>>>): Record<string, Value> {
  const entries = Object.entries(record).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

function read<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  const found = schema.safeParse(decodeMessage(bytes, "message_malformed"));
  if (found.success) return found.data;
  throw new IdentityError("message_malformed", `not a message of enrolment: ${z.prettifyError(found.error)}`);
}
