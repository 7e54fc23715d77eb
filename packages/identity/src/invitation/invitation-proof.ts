import { createHmac } from "node:crypto";
import { encodeMessage } from "../enrolment/message.ts";
import { digestOf } from "../enrolment/proof.ts";

/** What a proof is made of, beside the secret. */
export type InvitationProven = {
  /** What `exporterOf` gives on the connection, 32 bytes. */
  readonly binding: Uint8Array;
  /** The certificate that whoever joins showed on it, DER: the exporter does not cover it. */
  readonly certificate: Uint8Array;
  /** What that certificate goes back to, DER. */
  readonly anchor: Uint8Array;
};

/**
 * That whoever showed this certificate on this connection has the invitation's secret, without sending it: HMAC-SHA-256 keyed
 * with the secret, spec/invitation.md §3.3. 32 bytes.
 */
export function invitationProof(
  secret: Uint8Array,
  { binding, certificate, anchor }: InvitationProven,
): Uint8Array {
  const proven = {
    context: "catalyst-invitation-1",
    binding,
    certificate: digestOf(certificate),
    anchor: digestOf(anchor),
  };
  return Uint8Array.from(createHmac("sha256", secret).update(encodeMessage(proven)).digest());
}
