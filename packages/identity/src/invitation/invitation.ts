import { hash } from "node:crypto";
import { z } from "@catalyst/config";
import { authorityAddress } from "../enrolment/join-token.ts";
import { decodeMessage, encodeMessage } from "../enrolment/message.ts";
import { IdentityError } from "../errors.ts";
import { isName } from "../name.ts";
import { isLabel, nodeNameOf } from "../spiffe-id.ts";

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

const prefix = "peer1.";
const checksumBytes = 4;
const maxTokenLength = 3_072;

const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length);

/** A node's full name: its label, and its organisation's name. */
export const nodeName = z
  .string()
  .refine(
    (name) => isName(name) && isName(name.slice(name.indexOf(".") + 1)) && name.includes("."),
    "is not the full name of a node, such as n7.globex.catalyst.internal",
  );

const invitation = z
  .strictObject({
    addresses: z.array(authorityAddress).min(1).max(8),
    anchor: bytes(32),
    domain: z.string().refine(isName),
    expires: z
      .int()
      .min(0)
      .max(2 ** 40),
    node: z.string().refine(isLabel),
    peer: nodeName.nullable(),
    secret: bytes(16),
  })
  .refine((read) => isName(nodeNameOf(read)), "names no node");

/** The text of an invitation: about 250 characters. Throws {@link IdentityError} `invitation_malformed` for what none can say. */
export function formatInvitation(given: Invitation): string {
  const read = invitation.safeParse(given);
  if (!read.success) return malformed(z.prettifyError(read.error));
  const body = encodeMessage(read.data);
  return `${prefix}${Buffer.concat([body, checksumOf(body)]).toString("base64url")}`;
}

/**
 * Reads the text that somebody was given. Throws {@link IdentityError} `invitation_malformed`, which never repeats what was
 * given.
 */
export function parseInvitation(text: string): Invitation {
  if (!text.startsWith(prefix)) return malformed(`it does not begin with ${prefix}`);
  if (text.length > maxTokenLength) return malformed("it is too long");
  const encoded = text.slice(prefix.length);
  const all = Buffer.from(encoded, "base64url");
  const body = Uint8Array.from(all.subarray(0, -checksumBytes));
  const isWhole =
    all.toString("base64url") === encoded && checksumOf(body).equals(all.subarray(-checksumBytes));
  if (!isWhole) return malformed("a character is missing, was added, or is another one");
  const read = invitation.safeParse(decodeMessage(body, "invitation_malformed"));
  return read.success ? read.data : malformed("it was made by a release that this one does not know");
}

/** What an invitation is called where its secret may not be: 16 hexadecimal digits. */
export function invitationId(secret: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from("catalyst-invitation"), secret])).slice(0, 16);
}

function checksumOf(body: Uint8Array): Buffer {
  return hash("sha256", body, "buffer").subarray(0, checksumBytes);
}

function malformed(why: string): never {
  throw new IdentityError(
    "invitation_malformed",
    `this is no invitation: ${why}; copy it whole, or ask for a new one`,
  );
}
