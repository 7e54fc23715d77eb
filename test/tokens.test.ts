import assert from "node:assert/strict";
import { hash, X509Certificate } from "node:crypto";
import { connect } from "node:http2";
import { request as requestTls } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, getByHost, httpService, NodeUnderTest, shop, type TestService } from "@catalyst/harness";
import { IdentityFolder } from "@catalyst/identity";
import { createTestOrganisation, type TestIdentity } from "@catalyst/identity/testing";
import { authContract, type TokenOrder } from "@catalyst/rpc";

type Reply = { readonly status: number; readonly told: string };
type Headers = Readonly<Record<string, string>>;

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const holderHeader = "x-catalyst-client-certificate";
/** Whatever a caller may try to be believed in. */
const forged: Headers = {
  "x-catalyst-caller": "mallory",
  "X-Catalyst-Caller": "mallory",
  "x-catalyst-credential": "0".repeat(32),
  "x-jwt-sub": "mallory",
  "x-forwarded-client-cert": "URI=spiffe://test.catalyst.internal/node/n1/gateway",
};

/** What a service said, or the code of Envoy's refusal. */
function reply(status: number, body: string): Reply {
  if (status === 200) return { status, told: body };
  return { status, told: JSON.parse(body).errors?.[0]?.extensions.code ?? body };
}

/** A service that says who called it, and by which certificate. */
function whoami(name: string): Promise<TestService> {
  return httpService(name, ({ headers }, response) => {
    response.end(`${headers["x-catalyst-caller"]} ${headers[holderHeader] ?? "-"}`);
  });
}

async function ask(port: number, name: string, headers: Headers = {}): Promise<Reply> {
  const { status, body } = await getByHost(port, `${name}.test.catalyst.internal`, "/", headers);
  return reply(status, body);
}

/** As a client with a certificate does it, over TLS. */
async function askOverTls(
  port: number,
  {
    host,
    path = "/",
    headers,
    who,
    query,
  }: {
    readonly host: string;
    readonly path?: string;
    readonly headers: Headers;
    readonly who?: TestIdentity;
    readonly query?: string;
  },
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const shown = who === undefined ? {} : { cert: who.cert, key: who.key };
  const json = query === undefined ? {} : { "content-type": "application/json" };
  const sent = requestTls({
    ...{ host: "127.0.0.1", port, path, method: query === undefined ? "GET" : "POST", agent: false },
    ...{ rejectUnauthorized: false, ...shown, headers: { ...headers, ...json, host } },
  });
  sent.on("error", reject);
  sent.on("response", async (response) => resolve(reply(response.statusCode ?? 0, await text(response))));
  sent.end(query === undefined ? undefined : JSON.stringify({ query }));
  return promise;
}

describe("Tokens across two nodes that demand credentials", () => {
  const domain = "test.catalyst.internal";
  const resources = new AsyncDisposableStack();
  let n1: NodeUnderTest;
  let n2: NodeUnderTest;
  let tls = 0;
  let alice: TestIdentity;
  let mallory: TestIdentity;

  /** A token, made at the node that has joined: the root signs it. */
  const token = async (order: Partial<TokenOrder> = {}) => {
    using auth = await n2.connect("auth", authContract);
    const asked = { subject: "alice", services: ["web"], ttlMs: 60_000, ...order };
    return await auth.call.createToken(asked);
  };
  const rogueEnvoy = (headers: Headers, name = "web"): Promise<Reply> => {
    const folder = new IdentityFolder(join(n1.dataDir, "identity"));
    const identity = folder.process("envoy") ?? assert.fail("n1's Envoy has a certificate");
    return overMesh(n2.ports.mesh, identity, `${name}.${domain}`, headers);
  };

  before(async () => {
    const [peers = 0, authority = 0, port = 0] = await freePorts(3);
    tls = port;
    const services = resources.use(await shop());
    const [web, other] = [resources.use(await whoami("web")), resources.use(await whoami("other"))];
    const root = [
      "--listen-peers",
      `127.0.0.1:${peers}`,
      "--auth-authority-listen",
      `127.0.0.1:${authority}`,
    ];
    n1 = resources.use(
      await NodeUnderTest.start({
        services: [services.reviews.declaration],
        flags: [...root, "--auth-required", "--ingress-tls", `127.0.0.1:${tls}`],
      }),
    );
    using auth = await n1.connect("auth", authContract);
    const { token: joinToken } = await auth.call.createJoinToken({ node: "n2" });
    const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${peers}` });
    n2 = resources.use(
      await NodeUnderTest.start({
        name: "n2",
        services: [services.products.declaration, web.declaration, other.declaration],
        flags: ["--peer", peer, "--join", joinToken, "--auth-required"],
      }),
    );
    const clients = await createTestOrganisation("clients.example");
    [alice, mallory] = [await clients.issue("alice", "laptop"), await clients.issue("mallory", "laptop")];
    const { key } = await auth.call.createApiKey({ services: ["*"], ttlMs: 3_600_000 });
    await n1.until("n2's services are reached by way of n1", 20_000, async () => {
      const { status } = await ask(n1.ports.egress, "web", { "x-api-key": key }).catch(() => ({ status: 0 }));
      return status === 200;
    });
    await n1.until("both subgraphs are served", 20_000, async () => {
      const { body } = await query("{ products { name } reviews { id } }", key);
      return body.data?.products?.length === 2 && body.errors === undefined;
    });
  });
  after(() => resources.disposeAsync());

  const query = async (query: string, credential: string) => {
    const answer = await fetch(n1.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", ...bearer(credential) },
      body: JSON.stringify({ query }),
    });
    return { status: answer.status, body: (await answer.json()) as Answered };
  };
  type Answered = {
    readonly data?: { readonly products?: unknown[] | null; readonly reviews?: unknown[] | null };
    readonly errors?: readonly { readonly extensions: Readonly<Record<string, unknown>> }[];
  };

  test("a token for one service reads it on the other node, by egress and by GraphQL, and no other service", async () => {
    const web = await token();
    for (const node of [n1, n2]) {
      assert.deepEqual(await ask(node.ports.egress, "web", bearer(web.token)), {
        status: 200,
        told: "alice -",
      });
      assert.deepEqual(await ask(node.ports.ingress, "web", bearer(web.token)), {
        status: 200,
        told: "alice -",
      });
      for (const port of [node.ports.egress, node.ports.ingress])
        assert.deepEqual(await ask(port, "other", bearer(web.token)), { status: 403, told: "FORBIDDEN" });
    }
    assert.deepEqual(await rogueEnvoy(bearer(web.token), "other"), { status: 403, told: "FORBIDDEN" });
    const products = await token({ services: ["graphql", "products"] });
    const read = await query("{ products { name } }", products.token);
    assert.deepEqual(read.body, { data: { products: [{ name: "Lamp" }, { name: "Desk" }] } });
    const both = await query("{ products { name } reviews { id } }", products.token);
    const refused = both.body.errors?.map(({ extensions: { code, service } }) => [code, service]);
    assert.deepEqual(refused, [["SERVICE_FORBIDDEN", "reviews"]]);
    assert.doesNotMatch(JSON.stringify(both.body), /r1/);
    assert.equal((await query("{ products { name } }", web.token)).status, 403);
  });

  test("who calls is what the token says, whatever a client, a service or a node's Envoy says", async () => {
    const { token: good } = await token();
    const told = { status: 200, told: "alice -" };
    for (const port of [n1.ports.ingress, n1.ports.egress, n2.ports.ingress, n2.ports.egress]) {
      assert.deepEqual(await ask(port, "web", { ...forged, ...bearer(good) }), told);
      assert.deepEqual((await ask(port, "web", forged)).status, 401);
    }
    assert.deepEqual(await rogueEnvoy({ ...forged, ...bearer(good) }), told);
    assert.equal((await rogueEnvoy(forged)).status, 401);
  });

  test("one that was revoked, has expired, or is meant for somebody else is refused at every door of both nodes", async (context) => {
    const doors = async (credential: string) => [
      ...(await Promise.all(
        [n1, n2].flatMap(({ ports }) =>
          [ports.ingress, ports.egress].map((port) => ask(port, "web", { "x-api-key": credential })),
        ),
      )),
      await rogueEnvoy({ "x-api-key": credential }),
    ];
    const all = (status: number, replies: readonly Reply[]) =>
      replies.every((each) => each.status === status);
    const foreign = await token({ audience: "billing.example" });
    assert.ok(all(401, await doors(foreign.token)));
    const now = Date.now();
    const brief = await token({ ttlMs: 1_000 });
    using auth = await n1.connect("auth", authContract);
    const kinds = {
      token: async () => {
        const { token: made, jti } = await token();
        return { made, revoke: () => auth.call.revokeToken({ jti }) };
      },
      "API key": async () => {
        const { key, id } = await auth.call.createApiKey({ services: ["web"], ttlMs: 3_600_000 });
        return { made: key, revoke: () => auth.call.revokeApiKey({ key: id }) };
      },
    };
    for (const [kind, make] of Object.entries(kinds)) {
      const took: number[] = [];
      for (let round = 0; round < 5; round++) {
        const { made, revoke } = await make();
        assert.ok(all(200, await doors(made)));
        const began = performance.now();
        await revoke();
        while ((await rogueEnvoy({ "x-api-key": made })).status === 200) await sleep(1);
        took.push(performance.now() - began);
        await n1.until("all doors refuse it", 1_000, async () => all(401, await doors(made)));
      }
      took.sort((a, b) => a - b);
      const [least = 0, , median = 0, , worst = 0] = took;
      const figures = [least, median, worst].map((ms) => ms.toFixed(0)).join(", ");
      context.diagnostic(`${kind} revoked at n1, refused at n2's mesh: least, median, worst ${figures} ms`);
      assert.ok(worst < 1_000);
    }
    await sleep(Math.max(0, now + 7_000 - Date.now()));
    assert.ok(all(401, await doors(brief.token)));
  });

  test("one that is bound to a certificate is good with it over TLS, on the other node and behind the gateway too", async () => {
    const certificate = hash("sha256", new X509Certificate(alice.cert).raw, "base64url");
    const { token: bound } = await token({ services: ["web", "graphql", "products"], certificate });
    const headers = bearer(bound);
    const host = `web.${domain}`;
    const fine = { status: 200, told: `alice ${certificate}` };
    assert.deepEqual(await askOverTls(tls, { host, headers, who: alice }), fine);
    const graphql = { host: domain, path: "/graphql", headers, query: "{ products { name } }" };
    const names = { status: 200, told: '{"data":{"products":[{"name":"Lamp"},{"name":"Desk"}]}}' };
    assert.deepEqual(await askOverTls(tls, { ...graphql, who: alice }), names);

    const no = { status: 403, told: "FORBIDDEN" };
    const lie = { ...headers, [holderHeader]: certificate };
    for (const said of [headers, lie]) {
      for (const who of [{ who: mallory }, {}]) {
        assert.deepEqual(await askOverTls(tls, { host, headers: said, ...who }), no);
        assert.deepEqual(await askOverTls(tls, { ...graphql, headers: said, ...who }), no);
      }
      for (const { ports } of [n1, n2]) {
        for (const port of [ports.ingress, ports.egress]) assert.deepEqual(await ask(port, "web", said), no);
      }
    }
    assert.deepEqual(await rogueEnvoy(headers), no);

    // The gateway's own way to Envoy is there again when Envoy is.
    const before = await n1.pidOf("envoy");
    process.kill(before, "SIGKILL");
    await n1.until("Envoy is back", 15_000, async () => {
      if ((await n1.pidOf("envoy").catch(() => before)) === before) return false;
      const answer = await askOverTls(tls, { ...graphql, who: alice }).catch(() => null);
      return answer?.told === names.told;
    });
  });
});

/** One request as an Envoy brings it that does what it likes. */
function overMesh(
  port: number,
  { certificateChain, privateKey }: { readonly certificateChain: string; readonly privateKey: string },
  host: string,
  headers: Headers,
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const session = connect(`https://127.0.0.1:${port}`, {
    cert: certificateChain,
    key: privateKey,
    rejectUnauthorized: false,
  });
  session.on("error", reject);
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const stream = session.request({ ":authority": host, ":path": "/", ...lower });
  stream.on("error", reject);
  stream.on("response", async ({ ":status": status }) => {
    resolve(reply(status ?? 0, await text(stream)));
    session.close();
  });
  stream.end();
  return promise;
}
