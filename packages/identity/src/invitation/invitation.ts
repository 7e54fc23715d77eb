import { z } from "@catalyst/config";
import { isName, isNodeName } from "@catalyst/wire";
import {
  type CopiedText,
  certificateDigest,
  copiedMembers,
  copiedTextId,
  formatCopiedText,
  parseCopiedText,
} from "../copied-text.ts";
import { nodeNameOf } from "../spiffe-id.ts";

/**
 * What whoever is invited is given by hand, spec/invitation.md §2: with it one node becomes a peer of the inviter, once.
 * It holds a secret: it is shown when it is made, and is in no log.
 */
export type Invitation = {
  /** Where the inviter takes sessions: `host:port`, 1 to 8 of them. */
  readonly addresses: readonly string[];
  /** The inviter's organisation, and its label in it. */
  readonly domain: string;
  readonly node: string;
  /** The full name of the one node that it is for; null where it is for whoever has it. */
  readonly peer: string | null;
  /** SHA-256 of what the inviter's certificate goes back to, 32 bytes. */
  readonly anchor: Uint8Array;
  /** 16 random bytes. */
  readonly secret: Uint8Array;
  /** Seconds since 1970: from then on it is good for nothing. */
  readonly expires: number;
};

/** A node's full name: its label, and its organisation's name. */
export const nodeName = z
  .string()
  .refine(isNodeName, "is not the full name of a node, such as n7.globex.catalyst.internal");

const invitation = z
  .strictObject({ ...copiedMembers, anchor: certificateDigest, peer: nodeName.nullable() })
  .refine((read) => isName(nodeNameOf(read)), "names no node");

const invitationText: CopiedText<Invitation> = {
  prefix: "peer1.",
  maxLength: 3_072,
  content: invitation,
  malformed: "invitation_malformed",
  what: "invitation",
  remedy: "ask for a new one",
};

/** The text of an invitation: about 250 characters. Throws {@link IdentityError} `invitation_malformed` for what none can say. */
export function formatInvitation(given: Invitation): string {
  return formatCopiedText(invitationText, given);
}

/**
 * Reads the text that somebody was given. Throws {@link IdentityError} `invitation_malformed`, which never repeats what was
 * given.
 */
export function parseInvitation(text: string): Invitation {
  return parseCopiedText(invitationText, text);
}

/** What an invitation is called where its secret may not be: 16 hexadecimal digits. */
export function invitationId(secret: Uint8Array): string {
  return copiedTextId("catalyst-invitation", secret);
}
