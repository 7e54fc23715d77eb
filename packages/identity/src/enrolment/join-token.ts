import { hash } from "node:crypto";
import { isHostAddress, z } from "@catalyst/config";
import { IdentityError } from "../errors.ts";
import { isName } from "../name.ts";
import { isLabel } from "../spiffe-id.ts";
import { decodeMessage, encodeMessage } from "./message.ts";

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

const prefix = "join1.";
const checksumBytes = 4;
const maxTokenLength = 2_048;

const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length);

/** Where an authority is reached, `host:port`; of IPv6 in brackets. */
export const authorityAddress = z
  .string()
  .max(261)
  .refine(isHostAddress, "is not an address such as 192.0.2.1:10002");

const joinToken = z.strictObject({
  addresses: z.array(authorityAddress).min(1).max(8),
  domain: z.string().refine(isName),
  expires: z
    .int()
    .min(0)
    .max(2 ** 40),
  node: z.string().refine(isLabel),
  root: bytes(32),
  secret: bytes(16),
});

/** The text of a token: about 200 characters. Throws {@link IdentityError} `join_token_malformed` for what none can say. */
export function formatJoinToken(token: JoinToken): string {
  const read = joinToken.safeParse(token);
  if (!read.success) return malformed(z.prettifyError(read.error));
  const body = encodeMessage(read.data);
  return `${prefix}${Buffer.concat([body, checksumOf(body)]).toString("base64url")}`;
}

/**
 * Reads the text that somebody was given. Throws {@link IdentityError} `join_token_malformed`, which never repeats what
 * was given.
 */
export function parseJoinToken(text: string): JoinToken {
  if (!text.startsWith(prefix)) return malformed(`it does not begin with ${prefix}`);
  if (text.length > maxTokenLength) return malformed("it is too long");
  const encoded = text.slice(prefix.length);
  const all = Buffer.from(encoded, "base64url");
  const body = Uint8Array.from(all.subarray(0, -checksumBytes));
  const isWhole =
    all.toString("base64url") === encoded && checksumOf(body).equals(all.subarray(-checksumBytes));
  if (!isWhole) return malformed("a character is missing, was added, or is another one");
  const read = joinToken.safeParse(decodeMessage(body, "join_token_malformed"));
  return read.success ? read.data : malformed("it was made by a release that this one does not know");
}

/** What a token is called where its secret may not be: 16 hexadecimal digits. */
export function joinTokenId(secret: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from("catalyst-join-token"), secret])).slice(0, 16);
}

function checksumOf(body: Uint8Array): Buffer {
  return hash("sha256", body, "buffer").subarray(0, checksumBytes);
}

function malformed(why: string): never {
  throw new IdentityError(
    "join_token_malformed",
    `this is no join token: ${why}; copy it whole, or make a new one`,
  );
}
