import { readTokenIssuer, type TokenRefusal, verifyToken } from "@catalyst/identity";
import type { authContract, Client } from "@catalyst/rpc";
import { labelPattern } from "@catalyst/wire";
import { z } from "zod";
import { CommandError, exitCode } from "./exit-code.ts";

/** The signature of a key: 64 bytes in base64url. */
const signatureLength = 86;

const whatHappened: Readonly<Partial<Record<TokenRefusal, string>>> = {
  token_malformed: "it was changed, or is something else that looks alike",
  token_algorithm: "it was changed, or is something else that looks alike",
  token_claims: "its second part was changed, or does not say what a key's says",
  token_issuer: "another organisation's node made it, or it was changed",
  token_key: "it is signed with a key that this node does not have: another node made it, or it was changed",
  token_signature: "its signature is not that of what it says: a character or more was changed",
};

/**
 * The id of the credential that somebody has, in place of its name: what this node has signed, whether it is still good
 * or not. The credential itself goes nowhere, and is not repeated. Throws {@link CommandError} with exit code 2 that
 * says what is wrong with it.
 */
export async function idOfKey(text: string, auth: Client<typeof authContract>): Promise<string> {
  const problem = problemOfForm(text);
  if (problem !== null) throw noKey(problem);
  const { issuers } = await auth.credentials(undefined);
  const trust = { issuers: issuers.map(readTokenIssuer), now: Date.now(), isRevoked: () => false };
  const verified = verifyToken(text, trust);
  const fault = verified.kind === "refused" ? whatHappened[verified.code] : undefined;
  if (fault !== undefined) throw noKey(fault);
  if (verified.kind !== "refused" && verified.kind !== "apikeys")
    throw noKey(
      `it is an access token of ${verified.claims.sub}: \`catalyst token inspect\` says what it says`,
    );
  return signedClaims.parse(JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString())).jti;
}

const signedClaims = z.object({ jti: z.string() });

/** Whether a text is meant to be a key itself, in contrast to a key's name or id. */
export function looksLikeKey(text: string): boolean {
  return !labelPattern.test(text) && (text.includes(".") || /^\W*eyJ/.test(text));
}

/** What of a key's form the text has not: three parts in base64url with dots between, the last of a known length. */
function problemOfForm(text: string): string | null {
  if (/^\s|\s$/.test(text)) return "it has a space or the end of a line before or behind it: take that out";
  if (/^["'`]|["'`]$/.test(text)) return "it has a quotation mark before or behind it: take that out";
  const strange = /[^\w.-]/.exec(text);
  if (strange !== null)
    return `its character ${strange.index + 1} is ${JSON.stringify(strange[0])}, which no key has`;
  const parts = text.split(".");
  const signature = parts[2] ?? "";
  if (parts.length > 3) return "it has more than three parts with dots between: something was added";
  if (parts.length < 3) return `it has ${parts.length} of three parts with dots between: it was cut off`;
  if (signature.length < signatureLength)
    return `its last ${signatureLength - signature.length} characters are missing: it was cut off`;
  if (signature.length > signatureLength)
    return `it has ${signature.length - signatureLength} characters too many at its end: something was added`;
  return null;
}

function noKey(why: string): CommandError {
  return new CommandError(exitCode.usage, `this is no API key of this node: ${why}`);
}
