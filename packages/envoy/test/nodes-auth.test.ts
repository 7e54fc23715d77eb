import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { createTestOrganisation, type TestIdentity, type TestOrganisation } from "@catalyst/identity/testing";
import fc from "fast-check";
import { compileCredentials } from "../src/auth.ts";
import { holderHeader } from "../src/internal-headers.ts";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import { type ReachableService, servedHere } from "../src/reachable.ts";
import { claimsOf, domain, rulesOf } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { forged, good, keys, tokens, uncovering, wrong } from "./forgeries.ts";
import { anyPath, mark, misleadingPaths, spoofed } from "./misleading.ts";
import { type Echo, startUpstream, type Upstream } from "./upstream.ts";

/** What one request got. */
type Reply = { readonly status: number; readonly body: string };

// Another node's Envoy that does what it likes: HTTP/2 with a good certificate, and whatever requests it makes up.
describe("The mesh listener of a node that demands credentials", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;
  let acme: TestOrganisation;
  /** An Envoy of the same organisation, and one of another. */
  let own: ClientHttp2Session;
  let foreign: ClientHttp2Session;

  before(async () => {
    acme = await createTestOrganisation(domain);
    const globex = await createTestOrganisation("globex.example");
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    const rules = [{ name: "for a peer", allows: true, ids: ["spiffe://globex[.]example/node/n9/envoy"] }];
    const service = (name: string): ReachableService => ({
      ...servedHere({ name, protocol: "http", url: upstream.origin, timeoutMs: 5_000 }),
      rules,
    });
    const { cert: certificate, key: privateKey } = await acme.issue("n1", "envoy");
    const trust = { roots: [acme.root, globex.root], pinned: [], denied: [] };
    const revoked = [String(claimsOf(gone)["jti"])];
    envoy = await startEnvoy({
      nodes: true,
      mesh: { auth: { open: ["open"] } },
      extra: [
        compileNodeIdentity({ certificate, privateKey }),
        ...compileNodeTrust(trust, domain),
        ...compileCredentials(rulesOf([tokens, keys], revoked)),
      ],
    });
    await envoy.apply({ put: [service("products"), service("open")] });
    own = await dial(await acme.issue("n2", "envoy"));
    foreign = await dial(await globex.issue("n9", "envoy"));
  });
  after(async () => {
    for (const session of [own, foreign]) session?.destroy();
    await envoy?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });

  const gone = keys.issue();
  const dial = async ({ cert, key }: TestIdentity) => {
    const port = envoy.mesh.listen.mesh?.port;
    const session = connect(`https://127.0.0.1:${port}`, { cert, key, rejectUnauthorized: false });
    await once(session, "connect");
    return session;
  };
  const at = async (headers: OutgoingHttpHeaders, name = "products", by = own): Promise<Reply> => {
    const stream = by.request({ ":authority": `${name}.${domain}`, ...headers });
    const [answer] = await once(stream.end(), "response");
    return { status: Number(answer[":status"]), body: await text(stream) };
  };
  const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });
  const inBoth = (credential: string) =>
    Promise.all([bearer(credential), { "x-api-key": credential }].map(async (how) => (await at(how)).status));

  test("takes a credential of its organisation, and tells the service who calls", async () => {
    for (const each of [good, keys.issue()]) assert.deepEqual(await inBoth(each), [200, 200]);
    const { body } = await at({ ...bearer(tokens.issue({ sub: "alice" })), "x-catalyst-caller": mark });
    assert.equal((JSON.parse(body) as Echo).headers["x-catalyst-caller"], "alice");
  });

  test("refuses what is forged, out of its time, revoked, somebody else's or looked for elsewhere", async () => {
    const before = upstream.requests();
    for (const [name, credential] of Object.entries({ ...forged, ...wrong, gone }))
      assert.deepEqual(await inBoth(credential), [401, 401], name);
    for (const [name, credential] of Object.entries(uncovering))
      assert.deepEqual(await inBoth(credential), [403, 403], name);
    const elsewhere = [{ ":path": `/?access_token=${good}` }, { cookie: `access_token=${good}` }, {}];
    for (const headers of elsewhere) assert.equal((await at(headers)).status, 401);
    assert.equal(upstream.requests(), before);
  });

  test("lets nobody say who calls, in headers or trailers, to open services neither", async () => {
    const lies = Object.fromEntries(
      spoofed.map((name) => [name.toLowerCase(), [mark, `${mark}2`]] as const),
    ) as OutgoingHttpHeaders;
    for (const by of [own, foreign]) {
      for (const [name, credential, caller] of [
        ["open", {}, undefined],
        ["products", { "x-api-key": keys.issue() }, "apikey:ci"],
      ] as const) {
        const { status, body } = await at({ ...lies, ...credential }, name, by);
        assert.equal(status, 200, body);
        assert.ok(!body.includes(mark), body);
        assert.equal((JSON.parse(body) as Echo).headers["x-catalyst-caller"], caller);
        const stream = by.request(
          { ":method": "POST", ":path": "/trailers", ":authority": `${name}.${domain}`, ...credential },
          { waitForTrailers: true },
        );
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "x-catalyst-caller": mark, "x-jwt-sub": mark }),
        );
        assert.ok(!(await text(stream.end("x"))).includes(mark));
      }
      assert.equal((await at(lies, "products", by)).status, 401);
    }
  });

  test("believes an Envoy of the same organisation by which certificate a client came, and no other's", async () => {
    const thumbprint = "gazXYhQPppKhQoItL75NxvVLyqUB9oqzflru0Lr-TZk";
    const bound = { ...bearer(tokens.issue({ cnf: { "x5t#S256": thumbprint } })) };
    const told = { ...bound, [holderHeader]: thumbprint };
    assert.equal((await at(told)).status, 200);
    const refused = await at(told, "products", foreign);
    assert.match(refused.body, /is bound to a client certificate/);
    const aside = { ...bound, [`aside-${holderHeader}`]: thumbprint };
    const other = { ...bound, [holderHeader]: `${thumbprint.slice(0, -1)}E` };
    for (const by of [own, foreign]) {
      for (const lie of [bound, aside, other]) assert.equal((await at(lie, "products", by)).status, 403);
      assert.equal((await at(aside, "open", by)).status, 403);
      const open = await at({ [`aside-${holderHeader}`]: thumbprint }, "open", by);
      assert.equal((JSON.parse(open.body) as Echo).headers[holderHeader], undefined);
    }
  });

  test("leads by no path around a credential", async () => {
    const before = upstream.requests();
    const unheard = async (path: string) => {
      const status = await at({ ":path": path }).then(
        (reply) => reply.status,
        () => 0,
      );
      assert.notEqual(status, 200, path);
      assert.equal(upstream.requests(), before, path);
      if (own.destroyed) own = await dial(await acme.issue("n2", "envoy"));
    };
    for (const path of misleadingPaths) await unheard(path);
    await fc.assert(fc.asyncProperty(anyPath, unheard), { numRuns: 60 });
  });
});
