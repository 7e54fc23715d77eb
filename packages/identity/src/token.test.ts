import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  coversService,
  generateKey,
  IdentityError,
  mintToken,
  type PrivateKey,
  readTokenIssuer,
  type TokenIssuer,
  type TokenKind,
  type TokenRequest,
  tokenJwkOf,
  type VerifiedToken,
  verifyToken,
} from "@catalyst/identity";
import { signCompactJws } from "./jws.ts";

const now = 1_800_000_000_000;
const audience = "acme.catalyst.internal";
const secretOf = { tokens: generateKey("P-256"), apikeys: generateKey("P-256") };
const issuerOf = { tokens: `https://${audience}`, apikeys: `https://${audience}/apikeys` };

function issuer(kind: TokenKind, key: PrivateKey = secretOf[kind]): TokenIssuer {
  assert.ok(key.publicKey.algorithm === "P-256");
  const jwks = JSON.stringify({ keys: [tokenJwkOf(key.publicKey)] });
  return readTokenIssuer({ kind, issuer: issuerOf[kind], audience, maxLifetimeMs: 3_600_000, jwks });
}

const issuers = [issuer("tokens"), issuer("apikeys")];

function mint(request: Partial<TokenRequest> = {}, key?: PrivateKey) {
  const kind = request.kind ?? "tokens";
  return mintToken(key ?? secretOf[kind], {
    kind,
    issuer: issuerOf[kind],
    audience,
    subject: `spiffe://${audience}/node/n1/gateway`,
    services: ["graphql"],
    ttlMs: 300_000,
    now,
    ...request,
  });
}

const check = (token: string, at = now, revoked: readonly string[] = []): VerifiedToken =>
  verifyToken(token, { issuers, now: at, isRevoked: (jti) => revoked.includes(jti) });
const refused = (code: string) => ({ kind: "refused", code });

/** A token that says something else than the minter would let it. */
function forged(claims: object, header: object = {}, key = secretOf.tokens): string {
  const { claims: usual } = mint();
  return signCompactJws(
    { alg: "ES256", typ: "at+jwt", kid: key.kid, ...header },
    { ...usual, ...claims },
    key.secret,
  );
}

test("a token that was minted verifies, with the claims that it was minted with", () => {
  for (const kind of ["tokens", "apikeys"] as const) {
    const { token, claims } = mint({ kind, services: ["products", "reviews"] });
    assert.deepEqual(check(token), { kind, claims });
    assert.ok(coversService(claims, "products") && !coversService(claims, "graphql"));
  }
  const { claims } = mint({ services: ["*"] });
  assert.ok(coversService(claims, "anything"));
});

test("two tokens never have the same jti", () => {
  const ids = Array.from({ length: 100 }, () => mint().claims.jti);
  assert.equal(new Set(ids).size, ids.length);
});

test("a token is good from its first second to its last, give or take 5 s", () => {
  const { token } = mint({ ttlMs: 60_000 });
  assert.equal(check(token, now - 5_000).kind, "tokens");
  assert.deepEqual(check(token, now - 6_000), refused("token_early"));
  assert.equal(check(token, now + 64_999).kind, "tokens");
  assert.deepEqual(check(token, now + 65_000), refused("token_expired"));
});

test("the keys of one kind are not good for the other, under whichever name", () => {
  const apiKey = { kind: "apikeys", issuer: issuerOf.apikeys } as const;
  assert.deepEqual(check(mint(apiKey, secretOf.tokens).token), refused("token_key"));
  assert.deepEqual(check(mint({ ...apiKey, issuer: issuerOf.tokens }).token), refused("token_issuer"));
  assert.deepEqual(check(forged({}, { typ: "apikey+jwt" })), refused("token_issuer"));
  assert.deepEqual(check(forged({}, { typ: "JWT" })), refused("token_issuer"));
  assert.deepEqual(
    check(signCompactJws({ alg: "ES256", kid: secretOf.tokens.kid }, mint().claims, secretOf.tokens.secret)),
    refused("token_issuer"),
  );
});

test("a token of somebody else, for somebody else, or under a key of nobody is refused", () => {
  assert.deepEqual(check(forged({ iss: "https://evil.example" })), refused("token_issuer"));
  assert.deepEqual(check(forged({ aud: "other.internal" })), refused("token_audience"));
  assert.deepEqual(check(forged({}, {}, generateKey("P-256"))), refused("token_key"));
  const stolenKid = forged({}, { kid: secretOf.tokens.kid }, generateKey("P-256"));
  assert.deepEqual(check(stolenKid), refused("token_signature"));
  assert.deepEqual(check(forged({}, { alg: "none" })), refused("token_algorithm"));
  assert.deepEqual(check(forged({}, { alg: "HS256" })), refused("token_algorithm"));
  assert.deepEqual(check("no token"), refused("token_malformed"));
});

test("a claim that is missing, or of another form, is not taken for one", () => {
  for (const name of ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "services"])
    assert.deepEqual(check(forged({ [name]: undefined })), refused("token_claims"), name);
  for (const wrong of [
    { aud: [audience] },
    { sub: "a\nb" },
    { sub: "ü" },
    { sub: "" },
    { jti: "1" },
    { exp: "1800000300" },
    { exp: 1_800_000_300.5 },
    { nbf: -1 },
    { services: [] },
    { services: "products" },
    { services: ["products", "*.x"] },
    { services: ["products", "*"] },
    { services: ["products", "reviews", "products"] },
    { exp: 2 ** 40 },
    { services: Array.from({ length: 65 }, (_, at) => `s${at}`) },
  ])
    assert.deepEqual(check(forged(wrong)), refused("token_claims"), JSON.stringify(wrong));
});

test("a token that lives longer than its issuer may let it, or ends before it begins, is refused", () => {
  assert.equal(check(forged({ exp: 1_800_003_600 })).kind, "tokens");
  assert.deepEqual(check(forged({ exp: 1_800_003_601 })), refused("token_lifetime"));
  assert.deepEqual(check(forged({ nbf: 1_800_000_300 })), refused("token_lifetime"));
});

test("a token that was revoked is refused, by its jti and not by its bytes", () => {
  const { token, claims } = mint();
  assert.deepEqual(check(token, now, [claims.jti]), refused("token_revoked"));
});

test("a token that is bound to a certificate is good for who has it, and for nobody else", () => {
  const certificate = createHash("sha256").update("a certificate").digest("base64url");
  const { token, claims } = mint({ certificate });
  assert.deepEqual(claims.cnf, { "x5t#S256": certificate });
  const present = (shown?: string) =>
    verifyToken(token, { issuers, now, isRevoked: () => false, certificate: shown });
  assert.deepEqual(present(certificate), { kind: "tokens", claims });
  for (const other of [undefined, "", certificate.slice(0, -1), certificate.toLowerCase()])
    assert.deepEqual(present(other), refused("token_binding"), `${other}`);
  assert.equal(check(mint().token).kind, "tokens");
});

test("a token that is bound in another way is good for nobody", () => {
  const thumbprint = createHash("sha256").update("a certificate").digest("base64url");
  const ways = [null, {}, [], "x", thumbprint, { jkt: thumbprint }, { "x5t#S256": `${thumbprint}=` }];
  for (const cnf of [...ways, { "x5t#S256": thumbprint.slice(1) }, { "x5t#S256": null }])
    assert.deepEqual(check(forged({ cnf })), refused("token_claims"), JSON.stringify(cnf));
});

test("nothing is minted that would not verify", () => {
  const invalid = { name: "IdentityError", code: "token_invalid" };
  assert.throws(() => mint({ services: [] }), invalid);
  assert.throws(() => mint({ services: ["Products"] }), invalid);
  assert.throws(() => mint({ subject: "a b" }), invalid);
  assert.throws(() => mint({ ttlMs: 999 }), invalid);
  assert.throws(() => mint({ certificate: "00" }), invalid);
  assert.throws(() => mint({}, generateKey("Ed25519")), { code: "key_algorithm" });
});

test("a JWK Set with a private member gives none away, and one with a foreign kid or point is refused", () => {
  const { publicKey } = secretOf.tokens;
  assert.ok(publicKey.algorithm === "P-256");
  const jwk = tokenJwkOf(publicKey);
  assert.deepEqual(Object.keys(jwk).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
  const read = (keys: unknown) =>
    readTokenIssuer({
      kind: "tokens",
      issuer: "i",
      audience,
      maxLifetimeMs: 1,
      jwks: JSON.stringify({ keys }),
    });
  assert.equal(read([jwk]).keys.size, 1);
  const secret = secretOf.tokens.secret.export({ format: "jwk" });
  assert.equal(read([{ ...jwk, d: secret.d }]).keys.get(jwk.kid)?.type, "public");
  for (const wrong of [
    [{ ...jwk, kid: secretOf.apikeys.kid }],
    [{ ...jwk, y: jwk.x }],
    [{ ...jwk, use: "enc" }],
    [{ ...jwk, alg: "ES384" }],
    [{ kty: "oct", k: "AAAA" }],
    {},
  ])
    assert.throws(
      () => read(wrong),
      (error) => error instanceof IdentityError && error.code === "key_malformed",
    );
});
