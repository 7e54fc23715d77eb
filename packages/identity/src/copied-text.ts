import { hash } from "node:crypto";
import { isHostAddress, z } from "@catalyst/config";
import { isLabel, isName } from "@catalyst/wire";
import type { CborInput } from "@catalyst/wire/portable";
import { decodeMessage, encodeMessage } from "./enrolment/message.ts";
import { IdentityError, type IdentityErrorCode } from "./errors.ts";

/** A kind of text that people are given and copy: join tokens (spec/enrolment.md §3), invitations (spec/invitation.md §2). */
export type CopiedText<Content extends CborInput> = {
  /** What it begins with; its digit is the version of the form. */
  readonly prefix: string;
  readonly maxLength: number;
  readonly content: z.ZodType<Content>;
  readonly malformed: IdentityErrorCode;
  /** What a text of this kind is called, and where to get another one. */
  readonly what: string;
  readonly remedy: string;
};

const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length);

/** SHA-256 of a certificate. */
export const certificateDigest = bytes(32);

/** Where somebody is reached, `host:port`; of IPv6 in brackets. */
export const hostAddress = z
  .string()
  .max(261)
  .refine(isHostAddress, "is not an address such as 192.0.2.1:10002");

/** What each of them says: where somebody is reached, a node of an organisation, a secret, and until when it is good. */
export const copiedMembers = {
  addresses: z.array(hostAddress).min(1).max(8),
  domain: z.string().refine(isName),
  /** Seconds since 1970. */
  expires: z
    .int()
    .min(0)
    .max(2 ** 40),
  node: z.string().refine(isLabel),
  secret: bytes(16),
};

const checksumBytes = 4;

/** The prefix, then base64url of the content in CBOR and its checksum. Throws {@link IdentityError} for what none can say. */
export function formatCopiedText<Content extends CborInput>(
  kind: CopiedText<Content>,
  content: Content,
): string {
  const read = kind.content.safeParse(content);
  if (!read.success) return malformed(kind, z.prettifyError(read.error));
  const body = encodeMessage(read.data);
  return `${kind.prefix}${Buffer.concat([body, checksumOf(body)]).toString("base64url")}`;
}

/** Reads what {@link formatCopiedText} writes. Throws {@link IdentityError}, which never repeats what was given. */
export function parseCopiedText<Content extends CborInput>(kind: CopiedText<Content>, text: string): Content {
  const { prefix, maxLength, content } = kind;
  if (!text.startsWith(prefix)) return malformed(kind, `it does not begin with ${prefix}`);
  if (text.length > maxLength) return malformed(kind, "it is too long");
  const encoded = text.slice(prefix.length);
  const all = Buffer.from(encoded, "base64url");
  const body = Uint8Array.from(all.subarray(0, -checksumBytes));
  const isWhole =
    all.toString("base64url") === encoded && checksumOf(body).equals(all.subarray(-checksumBytes));
  if (!isWhole) return malformed(kind, "a character is missing, was added, or is another one");
  const read = content.safeParse(decodeMessage(body, kind.malformed));
  return read.success ? read.data : malformed(kind, "it was made by a release that this one does not know");
}

/** What a text is called where its secret may not be: 16 hexadecimal digits. `context` tells the kinds apart. */
export function copiedTextId(context: string, secret: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from(context), secret])).slice(0, 16);
}

function checksumOf(body: Uint8Array): Buffer {
  return hash("sha256", body, "buffer").subarray(0, checksumBytes);
}

type Name = Pick<CopiedText<CborInput>, "malformed" | "what" | "remedy">;

function malformed({ malformed: code, what, remedy }: Name, why: string): never {
  throw new IdentityError(code, `this is no ${what}: ${why}; copy it whole, or ${remedy}`);
}
