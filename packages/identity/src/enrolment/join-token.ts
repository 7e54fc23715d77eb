import { z } from "@catalyst/config";
import {
  type CopiedText,
  certificateDigest,
  copiedMembers,
  copiedTextId,
  formatCopiedText,
  parseCopiedText,
} from "../copied-text.ts";

/**
 * What a joiner is given by hand, spec/enrolment.md §3: with it a machine becomes one node of an organisation, once.
 * It holds a secret: it is shown when it is made, and is in no log.
 */
export type JoinToken = {
  /** Where the root authority is reached: `host:port`, 1 to 8 of them. */
  readonly addresses: readonly string[];
  /** The organisation. */
  readonly domain: string;
  /** The label of the node that whoever joins will be. */
  readonly node: string;
  /** SHA-256 of the root's certificate, 32 bytes. */
  readonly root: Uint8Array;
  /** 16 random bytes. */
  readonly secret: Uint8Array;
  /** Seconds since 1970: from then on it is good for nothing. */
  readonly expires: number;
};

const joinToken = z.strictObject({ ...copiedMembers, root: certificateDigest });

const joinTokenText: CopiedText<JoinToken> = {
  prefix: "join1.",
  maxLength: 2_048,
  content: joinToken,
  malformed: "join_token_malformed",
  what: "join token",
  remedy: "make a new one",
};

/** The text of a token: about 200 characters. Throws {@link IdentityError} `join_token_malformed` for what none can say. */
export function formatJoinToken(token: JoinToken): string {
  return formatCopiedText(joinTokenText, token);
}

/**
 * Reads the text that somebody was given. Throws {@link IdentityError} `join_token_malformed`, which never repeats what
 * was given.
 */
export function parseJoinToken(text: string): JoinToken {
  return parseCopiedText(joinTokenText, text);
}

/** What a token is called where its secret may not be: 16 hexadecimal digits. */
export function joinTokenId(secret: Uint8Array): string {
  return copiedTextId("catalyst-join-token", secret);
}
