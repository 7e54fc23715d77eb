import assert from "node:assert/strict";
import { createPrivateKey, type webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { defaultKey } from "@catalyst/xds";
import { type CredentialRules, compileCredentials } from "../src/auth.ts";
import { domain, rulesOf, testIssuer } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { claims, forged, good, keys, tokens, uncovering, unsigned, wrong } from "./forgeries.ts";
import { type Ask, ask, startUpstream, type Upstream } from "./upstream.ts";

const third = good.slice(unsigned.length + 1);

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
