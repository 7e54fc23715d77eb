import assert from "node:assert/strict";
import { createHmac, createPrivateKey, createPublicKey, sign, type webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { defaultKey } from "@catalyst/xds";
import { type CredentialRules, compileCredentials } from "../src/auth.ts";
import { domain, encoded, rulesOf, signed, testIssuer } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { type Ask, ask, startUpstream, type Upstream } from "./upstream.ts";

const tokens = testIssuer("tokens");
const keys = testIssuer("apikeys");
const now = Math.floor(Date.now() / 1_000);

/** What stands in the two parts of a token that is good. */
const head = { alg: "ES256", typ: "at+jwt", kid: tokens.kid };
const good = tokens.issue();
const [first = "", second = "", third = ""] = good.split(".");
const claims = JSON.parse(Buffer.from(second, "base64url").toString());
const unsigned = `${first}.${second}`;

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const publicPem = createPublicKey(tokens.key).export({ type: "spki", format: "pem" });

/** The same signed part under another header, with the MAC that who takes the public key for a secret would want. */
function maced(header: Readonly<Record<string, unknown>>, secret: string | Buffer): string {
  const input = `${encoded(header)}.${second}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/** The last character with the bits flipped that no byte has. */
function otherLastBits(text: string): string {
  return `${text.slice(0, -1)}${alphabet[alphabet.indexOf(text.slice(-1)) ^ 1]}`;
}

/** Threat 5. */
const forged: Readonly<Record<string, string>> = {
  "alg none": `${encoded({ ...head, alg: "none" })}.${second}.`,
  "alg NONE with a signature": `${encoded({ ...head, alg: "NONE" })}.${second}.${third}`,
  "no signature": `${unsigned}.`,
  "two parts": unsigned,
  "HS256 with the public key as JWK": maced({ ...head, alg: "HS256" }, JSON.stringify(tokens.jwk)),
  "HS256 with the public key as point": maced(
    { ...head, alg: "HS256" },
    Buffer.from(String(tokens.jwk["x"]), "base64url"),
  ),
  "HS256 with the public key as PEM": maced({ ...head, alg: "HS256" }, publicPem),
  "a MAC under the header of ES256": maced(head, JSON.stringify(tokens.jwk)),
  "zero signature": `${unsigned}.${Buffer.alloc(64).toString("base64url")}`,
  "signature in DER": `${unsigned}.${sign("sha256", Buffer.from(unsigned), tokens.key).toString("base64url")}`,
  "signature cut": `${unsigned}.${third.slice(0, -2)}`,
  "signature with more": `${good}AA`,
  "last bits of the signature": `${unsigned}.${otherLastBits(third)}`,
  "last bits of the payload": `${first}.${otherLastBits(second)}.${third}`,
  padding: `${good}==`,
  "padding inside": `${first}.${second}=.${third}`,
  "the other alphabet": `${unsigned}.${Buffer.from(third, "base64url").toString("base64")}`,
  "a fourth part": `${good}.x`,
  "something behind": `${good} x`,
  "something behind a comma": `${good},x`,
  "a stray character": `${first}.${second.slice(0, 8)}!${second.slice(8)}.${third}`,
  "the key of a stranger": signed(head, claims, testIssuer("tokens").key),
  "a key in the header": tokens.issue({}, { jwk: tokens.jwk }),
  "a key by its address": tokens.issue({}, { jku: "http://127.0.0.1/jwks.json" }),
};

/** Threat 8: signed by the issuer's own key, and yet no credential. */
const wrong: Readonly<Record<string, string>> = {
  "no exp": tokens.issue({ exp: undefined }),
  "exp that is no number": tokens.issue({ exp: "tomorrow" }),
  expired: tokens.issue({ iat: now - 100, nbf: now - 100, exp: now - 10 }),
  "not yet valid": tokens.issue({ nbf: now + 30, exp: now + 60 }),
  "living too long": tokens.issue({ exp: now + 3_700 }),
  "living too long, without iat": tokens.issue({ iat: undefined, exp: now + 86_400 }),
  "foreign aud": tokens.issue({ aud: "other.catalyst.internal" }),
  "no aud": tokens.issue({ aud: undefined }),
  "foreign iss": tokens.issue({ iss: "https://other.catalyst.internal" }),
  "no iss": tokens.issue({ iss: undefined }),
  "unknown crit": tokens.issue({}, { crit: ["exp"] }),
  "foreign typ": tokens.issue({}, { typ: "bundle+jwt" }),
  "no typ": tokens.issue({}, { typ: undefined }),
  "no kid": tokens.issue({}, { kid: undefined }),
  "foreign kid": tokens.issue({}, { kid: keys.kid }),
  "a token's key under an API key's issuer": signed(head, { ...claims, iss: keys.rules.issuer }, tokens.key),
  "an API key's key under a token's issuer": signed(
    { ...head, typ: "apikey+jwt", kid: keys.kid },
    claims,
    keys.key,
  ),
  "an API key's key under a token's header": signed(head, claims, keys.key),
  "no jti": tokens.issue({ jti: undefined }),
};

/** Signed by the issuer's own key, and good for no service. */
const uncovering: Readonly<Record<string, string>> = {
  "no sub": tokens.issue({ sub: undefined }),
  "no services": tokens.issue({ services: undefined }),
  "services that are no list": tokens.issue({ services: "products" }),
  "all services as text": tokens.issue({ services: "*" }),
  "a list of none": tokens.issue({ services: [] }),
  "a list of lists": tokens.issue({ services: [["products"]] }),
  "names that are nearly it": tokens.issue({
    services: ["product", "products2", "PRODUCTS", `products.${domain}`, "**", ""],
  }),
};

describe("A credential in Envoy", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    const services = [
      { name: "products", protocol: "http" as const, url: upstream.origin, timeoutMs: 5_000 },
    ];
    envoy = await startEnvoy({ services, mesh: { auth: { open: [] } } });
    await believe(rulesOf([tokens, keys]));
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const believe = async (rules: CredentialRules) => {
    envoy.xds.update(defaultKey, { upsert: compileCredentials(rules) });
    assert.equal((await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 })).complete, true);
    assert.deepEqual(envoy.xds.quarantined(), []);
  };
  /** The answers to a credential in each place that it may have. */
  const answers = (credential: string) =>
    Promise.all(
      [{ authorization: `Bearer ${credential}` }, { "x-api-key": credential }].map((headers) =>
        status({ headers }),
      ),
    );
  const status = async (what: Partial<Ask>) =>
    (await ask(envoy.mesh.listen.ingress.port, { host: `products.${domain}`, ...what })).status;

  test("is taken when its issuer made it so", async () => {
    for (const each of [good, keys.issue()]) assert.deepEqual(await answers(each), [200, 200]);
  });

  for (const [how, cases] of [
    ["is refused with 401 when it is forged", forged],
    ["is refused with 401 when its claims or its header are not an issuer's", wrong],
  ] as const) {
    test(how, async () => {
      const before = upstream.requests();
      for (const [name, credential] of Object.entries(cases)) {
        assert.deepEqual(await answers(credential), [401, 401], name);
      }
      assert.equal(upstream.requests(), before);
    });
  }

  test("covers no service unless it says whose it is and names services in a list", async () => {
    const before = upstream.requests();
    for (const [name, credential] of Object.entries(uncovering)) {
      assert.deepEqual(await answers(credential), [403, 403], name);
    }
    assert.equal(upstream.requests(), before);
  });

  test("is looked for in two headers and nowhere else", async () => {
    const elsewhere: Partial<Ask>[] = [
      { path: `/?access_token=${good}` },
      { path: `/?x-api-key=${good}` },
      { headers: { cookie: `access_token=${good}; x-api-key=${good}` } },
      { headers: { "proxy-authorization": `Bearer ${good}` } },
      { headers: { authorization: good } },
      { headers: { authorization: `Basic ${good}` } },
      { headers: { authorization: `Basic x, Bearer ${good}` } },
      { headers: { "x-access-token": good, "x-jwt": good, x_api_key: good } },
      { method: "POST", body: Buffer.from(`access_token=${good}`) },
    ];
    for (const what of elsewhere) assert.equal(await status(what), 401, JSON.stringify(what));
  });

  test("with the other of two signatures that ECDSA has is the same credential, and revoked with it", async () => {
    const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    const bytes = Buffer.from(third, "base64url");
    const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`);
    const mirrored = Buffer.from((order - s).toString(16).padStart(64, "0"), "hex");
    const twin = `${unsigned}.${Buffer.concat([bytes.subarray(0, 32), mirrored]).toString("base64url")}`;
    assert.deepEqual(await answers(twin), [200, 200]);
    await believe(rulesOf([tokens, keys], [claims.jti]));
    for (const each of [good, twin]) assert.deepEqual(await answers(each), [401, 401]);
    await believe(rulesOf([tokens, keys]));
  });

  test("is refused with every signature that the published vectors know to be invalid, under their own key", async () => {
    const groups = publishedGroups().filter(
      ({ public: key }) => key?.["crv"] === "P-256" && key["use"] === "sig",
    );
    assert.equal(groups.length, 2);
    for (const { private: secret, tests } of groups) {
      const issuer = testIssuer(
        "tokens",
        createPrivateKey({ key: secret as webcrypto.JsonWebKey, format: "jwk" }),
      );
      await believe(rulesOf([issuer, keys]));
      const ours = issuer.issue();
      assert.deepEqual(await answers(ours), [200, 200], "the key is believed");
      const body = ours.slice(0, ours.lastIndexOf("."));
      const invalid = tests.filter(({ result }) => result === "invalid");
      assert(invalid.length >= 14);
      for (const { jws, comment } of invalid) {
        const signature = jws.slice(jws.lastIndexOf(".") + 1);
        assert.deepEqual(await answers(jws), [401, 401], comment);
        assert.deepEqual(await answers(`${body}.${signature}`), [401, 401], `the signature of ${comment}`);
      }
    }
    await believe(rulesOf([tokens, keys]));
  });
});

type Group = {
  readonly public?: Readonly<Record<string, unknown>>;
  readonly private?: Readonly<Record<string, unknown>>;
  readonly tests: readonly { readonly jws: string; readonly result: string; readonly comment: string }[];
};

function publishedGroups(): readonly Group[] {
  const path = join(import.meta.dirname, "../../../spec/vectors/jws/wycheproof.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly testGroups: readonly Group[] }).testGroups;
}
