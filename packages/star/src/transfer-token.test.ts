import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { StarErrorCode } from "./errors.ts";
import { mintTransferToken, verifyTransferToken } from "./transfer-token.ts";

const secret = "a secret that stars share";
const now = 1_735_676_400;
const path = "/data/file.txt";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A token as somebody else would make it. */
const signed = (claims: object, head: object = { alg: "HS256", typ: "JWT" }, key = secret) => {
  const text = `${encode(head)}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
};
const claims = { sub: "transfer", allow_file: path, iat: now, exp: now + 3_600, iss: "orbit-nucleus" };
const refused = (token: string, code: StarErrorCode, at = now) =>
  assert.throws(() => verifyTransferToken(secret, token, path, at), { code }, token);

test("A token is good for its file, for an hour, and says which replication it is for", () => {
  const token = mintTransferToken(secret, path, { now, jti: "one" });
  assert.deepEqual(verifyTransferToken(secret, token, path, now + 3_599), { ...claims, jti: "one" });
  refused(token, "token_expired", now + 3_606);
  assert.notEqual(mintTransferToken(secret, path, { now }), mintTransferToken(secret, path, { now }));
});

test("A token of the Nucleus that is in the field is taken: without jti, its header in any order", () => {
  for (const head of [{ alg: "HS256", typ: "JWT" }, { typ: "JWT", alg: "HS256" }, { alg: "HS256" }]) {
    assert.deepEqual(verifyTransferToken(secret, signed(claims, head), path, now), claims);
  }
});

test("A token is good for no other file, however near its path is", () => {
  for (const other of [
    "/data/file.tx",
    "/data/file.txt/",
    "/data/../data/file.txt",
    "/data//file.txt",
    "/DATA/file.txt",
    "",
  ]) {
    const token = mintTransferToken(secret, other, { now });
    refused(token, "token_mismatch");
  }
});

test("Another issuer, another purpose, missing or odd claims are refused", () => {
  const { exp: _, ...endless } = claims;
  const { allow_file: __, ...anyFile } = claims;
  const odd = [
    { ...claims, iss: "orbit-star" },
    { ...claims, sub: "session" },
    { ...claims, exp: "tomorrow" },
    { ...claims, exp: -1 },
    { ...claims, allow_file: [path] },
    { ...claims, jti: 7 },
    { ...claims, nbf: now + 60 },
    endless,
    anyFile,
    [],
  ];
  for (const each of odd) refused(signed(each), "token_invalid");
  refused(signed({ ...claims, exp: now - 60 }), "token_expired");
});

test("No algorithm but HS256 is believed, and no key but the secret", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rs256 = `${encode({ alg: "RS256" })}.${encode(claims)}`;
  const forged = [
    `${encode({ alg: "none" })}.${encode(claims)}.`,
    `${encode({ alg: "none" })}.${encode(claims)}.AA`,
    `${rs256}.${sign("sha256", Buffer.from(rs256), privateKey).toString("base64url")}`,
    signed(claims, { alg: "HS256" }, ""),
    signed(claims, { alg: "HS256" }, "another secret"),
    signed(claims, { alg: "HS512" }),
    signed(claims, { alg: "HS256", crit: ["exp"] }),
    signed(claims, { alg: "HS256", typ: "at+jwt" }),
  ];
  for (const token of forged) refused(token, "token_invalid");
});

test("A token has one spelling: no bit of it can be another, and nothing can be added", () => {
  const token = mintTransferToken(secret, path, { now });
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === "A" ? "B" : "A";
    refused(`${token.slice(0, at)}${other}${token.slice(at + 1)}`, "token_invalid");
  }
  for (const odd of [
    "",
    ".",
    "..",
    "...",
    token.slice(0, -1),
    `${token}=`,
    `${token}.`,
    ` ${token}`,
    `${token}\n`,
    "x".repeat(100_000),
  ]) {
    refused(odd, "token_invalid");
  }
});
