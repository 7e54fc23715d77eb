import { z } from "@catalyst/config";
import { decodeMessage, encodeMessage } from "../enrolment/message.ts";
import { IdentityError } from "../errors.ts";

/** The protocol of spec/invitation.md, as it is named in the handshake of TLS (ALPN). */
export const invitationProtocol = "catalyst-invitation/1";

/** The longest message: a certificate and little more. */
export const maxInvitationBytes = 12_288;

const certificate = z.instanceof(Uint8Array).refine(({ length }) => length > 0 && length <= 8_192);
const text = z.string().max(1_024);

const messages = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("hello"), anchor: certificate }),
  z.object({
    kind: z.literal("join"),
    invitation: z.string().regex(/^[0-9a-f]{16}$/),
    anchor: certificate,
    proof: z.instanceof(Uint8Array).refine(({ length }) => length === 32),
  }),
  z.object({ kind: z.literal("accepted"), peer: z.string().max(253) }),
  z.object({ kind: z.literal("refused"), code: z.string().regex(/^[a-z_]{1,64}$/), text }),
]);

/**
 * What the two say, spec/invitation.md §3: the inviter `hello`, who joins `join`, the inviter `accepted` or `refused`.
 * Anchors are DER.
 */
export type InvitationMessage =
  | { readonly kind: "hello"; readonly anchor: Uint8Array }
  | JoinRequest
  | { readonly kind: "accepted"; readonly peer: string }
  | { readonly kind: "refused"; readonly code: string; readonly text: string };

export type JoinRequest = {
  readonly kind: "join";
  /** `invitationId` of the invitation's secret. */
  readonly invitation: string;
  readonly anchor: Uint8Array;
  /** 32 bytes: `invitationProof`. */
  readonly proof: Uint8Array;
};

export function encodeInvitationMessage(message: InvitationMessage): Uint8Array {
  return encodeMessage(message);
}

/** Reads the message of a kind that is due. Throws {@link IdentityError} `message_malformed` for anything else. */
export function decodeInvitationMessage<Kind extends InvitationMessage["kind"]>(
  bytes: Uint8Array,
  due: readonly Kind[],
): Extract<InvitationMessage, { kind: Kind }> {
  const read = messages.safeParse(decodeMessage(bytes, "message_malformed"));
  const isDue = (message: InvitationMessage): message is Extract<InvitationMessage, { kind: Kind }> =>
    due.some((kind) => kind === message.kind);
  if (read.success && isDue(read.data)) return read.data;
  const why = read.success ? `a message ${read.data.kind} came` : z.prettifyError(read.error);
  throw new IdentityError(
    "message_malformed",
    `not the message ${due.join(" or ")} of an invitation: ${why}`,
  );
}
