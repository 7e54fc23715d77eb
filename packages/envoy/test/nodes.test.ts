import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { createTestOrganisation, type TestIdentity, type TestOrganisation } from "@catalyst/identity/testing";
import { defaultKey, type Resource } from "@catalyst/xds";
import { Metadata, status } from "@grpc/grpc-js";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import type { NextHop, ReachableService } from "../src/reachable.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { echoClient, startEcho } from "./grpc-echo.ts";
import { ask, echoOf, errorOf, startUpstream, type Upstream } from "./upstream.ts";

const domain = "acme.catalyst.internal";
const anyPort = { host: "127.0.0.1", port: 0 };

/** What an Envoy shows, and whom it believes. */
function credentials(identity: TestIdentity, { root }: TestOrganisation): Resource[] {
  return [
    compileNodeIdentity({ certificate: identity.cert, privateKey: identity.key }),
    ...compileNodeTrust({ roots: [root], pinned: [], denied: [] }, domain),
  ];
}

const here = (name: string, url: string): ReachableService => ({
  name,
  paths: [{ to: "here", service: { name, protocol: "http", url, timeoutMs: 1_000 } }],
});

const hopTo = (envoy: EnvoyUnderTest, node: string): NextHop => ({
  host: "127.0.0.1",
  port: envoy.mesh.listen.mesh?.port ?? 0,
  sni: `${node}.${domain}`,
  spiffeId: `spiffe://${domain}/node/${node}/envoy`,
});

const at = (name: string, ...nextHops: NextHop[]): ReachableService => ({
  name,
  paths: nextHops.map((nextHop) => ({ to: "node", nextHop })),
});

/** What is answered, and the trailers behind it. */
function unary(
  client: ReturnType<typeof echoClient>,
  said: string,
  metadata: Metadata,
  withinMs = 5_000,
): Promise<[string, Metadata]> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const call = client.unary(
      Buffer.from(said),
      metadata,
      { deadline: Date.now() + withinMs },
      (error, bytes) => {
        if (error !== null) reject(error);
        answer = String(bytes);
      },
    );
    call.on("status", ({ metadata: trailers }: { metadata: Metadata }) => resolve([answer, trailers]));
  });
}

describe("Requests from node to node", { skip: envoyMissing }, () => {
  let acme: TestOrganisation;
  let upstream: Upstream;
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;
  let n3: EnvoyUnderTest;
  const start = async (node: string) =>
    startEnvoy({
      nodes: true,
      mesh: { node, domain },
      extra: credentials(await acme.issue(node, "envoy"), acme),
    });
  const egress = (host: string, more: object = {}) =>
    ask(n1.mesh.listen.egress.port, { host: `${host}.${domain}`, ...more });

  before(async () => {
    acme = await createTestOrganisation(domain);
    upstream = await startUpstream(anyPort);
    [n1, n2, n3] = await Promise.all([start("n1"), start("n2"), start("n3")]);
  });
  after(async () => {
    await Promise.all([n1, n2, n3].map((envoy) => envoy?.[Symbol.asyncDispose]()));
    await upstream?.[Symbol.asyncDispose]();
  });

  test("A service of another node answers under the Host that a local one has", async () => {
    await n2.apply({ put: [here("products", upstream.origin)] });
    await n1.apply({ put: [at("products", hopTo(n2, "n2"))] });
    const answer = await egress("products", { path: "/a?b=c" });
    assert.equal(answer.status, 200, answer.body);
    const { url, headers } = echoOf(answer);
    assert.equal(url, "/a?b=c");
    assert.equal(headers["host"], new URL(upstream.origin).host);
    assert.equal(headers["x-forwarded-host"], `products.${domain}`);
  });

  test("Who is not the node that was to answer is told nothing", async () => {
    await n1.apply({
      put: [at("impostor", { ...hopTo(n2, "n2"), spiffeId: `spiffe://${domain}/node/n9/envoy` })],
    });
    const answer = await egress("impostor");
    assert.equal(answer.status, 503);
  });

  test("A request that reached no service goes the next way, whatever its method", async () => {
    await n2.apply({ put: [here("twice", "http://127.0.0.1:9")] });
    await n3.apply({ put: [here("twice", upstream.origin)] });
    await n1.apply({ put: [at("twice", hopTo(n2, "n2"), hopTo(n3, "n3"))] });
    const answer = await egress("twice", { method: "POST", body: Buffer.from("x") });
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers["x-catalyst-unreached"], undefined);
    await n2.apply({ remove: ["twice"] });
    assert.equal((await egress("twice", { method: "POST" })).status, 200);
  });

  test("A service that stands here and elsewhere is reached elsewhere when nobody answers here", async () => {
    const elsewhere = { to: "node", nextHop: hopTo(n3, "n3") } as const;
    const [local] = here("both", "http://127.0.0.1:9").paths;
    assert.ok(local);
    await n3.apply({ put: [here("both", upstream.origin)] });
    await n1.apply({ put: [{ name: "both", paths: [local, elsewhere] }] });
    assert.equal((await egress("both", { method: "POST" })).status, 200);
  });

  test("A node that the rules of a service keep away is refused, and told so", async () => {
    const ids = [`spiffe://${domain}/node/n1/envoy`];
    const closed = { ...here("closed", upstream.origin), rules: [{ name: "not n1", allows: false, ids }] };
    await n2.apply({ put: [closed] });
    await Promise.all([n1, n3].map((envoy) => envoy.apply({ put: [at("closed", hopTo(n2, "n2"))] })));
    const answer = await egress("closed");
    assert.equal(answer.status, 403);
    assert.equal(errorOf(answer).extensions["code"], "FORBIDDEN");
    assert.equal((await ask(n3.mesh.listen.egress.port, { host: `closed.${domain}` })).status, 200);
  });

  test("A node that was revoked is refused, also on connections that it has", async () => {
    assert.equal((await egress("products")).status, 200);
    const trust = { roots: [acme.root], pinned: [], denied: [] };
    const denied = [{ domain, node: "n1", serial: null }];
    n2.xds.update(defaultKey, { upsert: compileNodeTrust({ ...trust, denied }, domain) });
    await until(async () => (await egress("products")).status !== 200);
    n2.xds.update(defaultKey, { upsert: compileNodeTrust(trust, domain) });
    await until(async () => (await egress("products")).status === 200);
  });

  test("gRPC passes in all four kinds of call, with its metadata, trailers and deadlines", async () => {
    await using echo = await startEcho();
    const service = { name: "echo", protocol: "grpc", url: echo.origin, timeoutMs: 5_000 } as const;
    await n2.apply({ put: [{ name: "echo", paths: [{ to: "here", service }] }] });
    await n1.apply({ put: [at("echo", hopTo(n2, "n2"))] });
    const client = echoClient(n1.mesh.listen.egress.port, `echo.${domain}`);
    try {
      const metadata = new Metadata();
      metadata.set("x-sent", "told");
      const [answer, trailers] = await unary(client, "hello", metadata);
      assert.equal(answer, "hello");
      assert.deepEqual(trailers.get("x-seen"), ["told"]);

      const uploaded = Promise.withResolvers<Buffer | undefined>();
      const upload = client.upload((error, all) => (error ? uploaded.reject(error) : uploaded.resolve(all)));
      for (const part of ["a", "b", "c"]) upload.write(Buffer.from(part));
      upload.end();
      assert.equal(String(await uploaded.promise), "abc");

      const parts: string[] = [];
      for await (const part of client.download(Buffer.from("xyz"))) parts.push(String(part));
      assert.deepEqual(parts, ["x", "y", "z"]);

      const chat = client.chat();
      for (const said of ["ping", "pong"]) {
        chat.write(Buffer.from(said));
        assert.equal(String((await once(chat, "data"))[0]), said);
      }
      chat.end();
      await once(chat, "end");

      await assert.rejects(unary(client, "never", metadata, 200), { code: status.DEADLINE_EXCEEDED });
    } finally {
      client.close();
    }
  });

  test("What reaches no way is said in words", async () => {
    await n1.apply({ put: [at("nowhere", { ...hopTo(n2, "n2"), port: 9 })] });
    const answer = await egress("nowhere");
    assert.equal(answer.status, 503);
    assert.equal(errorOf(answer).extensions["code"], "SERVICE_UNAVAILABLE");
    assert.equal(errorOf(answer).extensions["service"], "nowhere");
  });
});
