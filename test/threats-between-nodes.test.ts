// Threats to two nodes of one organisation and one of another, against the real Envoys of all. What single parts are
// tried with at length stands beside them: packages/envoy/test for 5 to 9, packages/peering for 17.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, getByHost, httpService, NodeUnderTest, type TestService } from "@catalyst/harness";
import { IdentityFolder } from "@catalyst/identity";
import { authContract, orchestratorContract, type TokenOrder } from "@catalyst/rpc";
import { listeningOf, openSockets, privateKeysOf, toldBy } from "./leaks.ts";

type Headers = Readonly<Record<string, string>>;
type Asked = { readonly status: number; readonly body: string };
/** One way to a service of a node. */
type Door = (headers: Headers, name?: string, path?: string) => Promise<Asked>;

const domain = "test.catalyst.internal";
const globex = "globex.catalyst.internal";
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Says who called, and tells events for ever; counts what came. */
async function startService(name: string): Promise<TestService & { readonly asked: () => number }> {
  let asked = 0;
  const service = await httpService(name, (incoming, response) => {
    asked += 1;
    if (incoming.url !== "/events") return void response.end(String(incoming.headers["x-catalyst-caller"]));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const timer = setInterval(() => response.write("data: tick\n\n"), 100);
    response.on("close", () => clearInterval(timer));
  });
  return Object.assign(service, { asked: () => asked });
}

/** One request as an Envoy brings it that does what it likes. */
async function overMesh(port: number, envoy: NodeUnderTest, headers: Headers): Promise<Asked> {
  const shown =
    new IdentityFolder(join(envoy.dataDir, "identity")).process("envoy") ?? assert.fail("no identity");
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    cert: shown.certificateChain,
    key: shown.privateKey,
    rejectUnauthorized: false,
  });
  try {
    const stream = session.request(headers);
    const [{ ":status": status = 0 }] = await once(stream, "response");
    return { status, body: await text(stream) };
  } finally {
    session.destroy();
  }
}

describe("Two nodes that demand credentials", () => {
  const resources = new AsyncDisposableStack();
  let n1: NodeUnderTest;
  let n2: NodeUnderTest;
  let web: Awaited<ReturnType<typeof startService>>;
  let joinToken = "";
  let peersPort = 0;
  let authorityPort = 0;

  const token = async (order: Partial<TokenOrder> = {}) => {
    using auth = await n1.connect("auth", authContract);
    return await auth.call.createToken({ subject: "alice", services: ["web"], ttlMs: 60_000, ...order });
  };

  before(async () => {
    web = resources.use(await startService("web"));
    const inside = resources.use(await startService("inside"));
    [peersPort = 0, authorityPort = 0] = await freePorts(2);
    const debug = ["--telemetry-log-level", "debug", "--auth-required"];
    const shared = {
      name: "shared",
      action: "accept",
      match: { peerOrganisation: globex, service: "shared.*" },
    };
    n1 = resources.use(
      await NodeUnderTest.start({
        services: [inside.declaration, { ...inside.declaration, name: "shared" }],
        flags: [
          ...["--listen-peers", `127.0.0.1:${peersPort}`],
          ...["--auth-authority-listen", `127.0.0.1:${authorityPort}`],
          ...["--mesh-peering-export", JSON.stringify(shared), ...debug],
        ],
      }),
    );
    using auth = await n1.connect("auth", authContract);
    joinToken = (await auth.call.createJoinToken({ node: "n2" })).token;
    const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${peersPort}` });
    n2 = resources.use(
      await NodeUnderTest.start({
        name: "n2",
        services: [web.declaration],
        flags: ["--peer", peer, "--join", joinToken, ...debug],
      }),
    );
    const both = (await token({ services: ["web", "inside"] })).token;
    await n1.until("each reaches the other one's service", 20_000, async () => {
      const answers = await Promise.all([
        getByHost(n1.ports.egress, `web.${domain}`, "/", bearer(both)),
        getByHost(n2.ports.egress, `inside.${domain}`, "/", bearer(both)),
      ]);
      return answers.every(({ status }) => status === 200);
    });
  });
  after(() => resources.disposeAsync());

  /** Every door that leads to n2's service: those of clients and services at both nodes, and that of other nodes. */
  const doors = (): Readonly<Record<string, Door>> => ({
    ...Object.fromEntries(
      Object.entries({ n1, n2 }).flatMap(([node, { ports }]) =>
        (["ingress", "egress"] as const).map((door): [string, Door] => [
          `${door} of ${node}`,
          (headers, name = "web", path = "/") => getByHost(ports[door], `${name}.${domain}`, path, headers),
        ]),
      ),
    ),
    "mesh of n2": (headers, name = "web", path = "/") =>
      overMesh(n2.ports.mesh, n1, { ":authority": `${name}.${domain}`, ":path": path, ...headers }),
  });
  const expectAll = async (status: number, what: string, headers: Headers, path = "/") => {
    for (const [door, ask] of Object.entries(doors())) {
      assert.equal((await ask(headers, "web", path)).status, status, `${what} at ${door}`);
    }
  };
  /** Services see nothing of what is tried meanwhile. */
  const unseen = async (attempts: () => Promise<void>) => {
    const before = web.asked();
    await attempts();
    assert.equal(web.asked(), before, "the service saw something");
  };

  test("Threat 5: forged tokens are refused at every door of both nodes", async () => {
    const { token: good } = await token();
    const [head = "", claims = "", signature = ""] = good.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString());
    const jwks = await (await fetch(`http://127.0.0.1:${n1.ports.ingress}/.well-known/jwks.json`)).text();
    const confused = `${encoded({ ...header, alg: "HS256" })}.${claims}`;
    const forgeries = {
      "alg none": `${encoded({ ...header, alg: "none" })}.${claims}.`,
      "HS256 with the public key": `${confused}.${createHmac("sha256", jwks).update(confused).digest("base64url")}`,
      "zero signature": `${head}.${claims}.${Buffer.alloc(64).toString("base64url")}`,
      "other claims": `${head}.${encoded({ sub: "mallory" })}.${signature}`,
      padding: `${good}==`,
      "a stray character": `${head}.${claims.slice(0, 8)}!${claims.slice(8)}.${signature}`,
    };
    await unseen(async () => {
      for (const [what, forged] of Object.entries(forgeries)) await expectAll(401, what, bearer(forged));
    });
    await expectAll(200, "the token itself", bearer(good));
  });

  test("Threat 6: a bound token that was stolen is refused at every door of both nodes", async () => {
    const certificate = Buffer.alloc(32, 7).toString("base64url");
    const { token: bound } = await token({ certificate });
    await unseen(async () => {
      await expectAll(403, "stolen", bearer(bound));
      const lies = {
        "x-catalyst-client-certificate": certificate,
        "aside-x-catalyst-client-certificate": certificate,
      };
      for (const [door, ask] of Object.entries(doors())) {
        if (door !== "mesh of n2") assert.equal((await ask({ ...bearer(bound), ...lies })).status, 403, door);
      }
    });
  });

  test("Threat 7: headers that a node trusts are believed of nobody, at no door of both nodes", async () => {
    const { token: good } = await token();
    const spoofed = {
      ...{ "x-catalyst-caller": "mallory", "x-catalyst-credential": "0".repeat(32), "x-jwt-sub": "mallory" },
      "x-forwarded-client-cert": `URI=spiffe://${domain}/node/n1/gateway`,
    };
    for (const [door, ask] of Object.entries(doors())) {
      assert.deepEqual(await ask({ ...spoofed, ...bearer(good) }).then(({ body }) => body), "alice", door);
      assert.equal((await ask(spoofed)).status, 401, door);
    }
  });

  test("Threat 9: no misleading path gets by a door of both nodes", async () => {
    const paths = ["/open/..%2f", "/..%2f..%2f", "/a%5cb", "/%00", "//", "/.well-known/../x"];
    await unseen(async () => {
      for (const path of paths) {
        for (const [door, ask] of Object.entries(doors())) {
          const status = await ask({}, "web", path).then(
            ({ status }) => status,
            () => 0,
          );
          assert.ok([0, 400, 401].includes(status), `${path} at ${door}: ${status}`);
        }
      }
      const { token: good } = await token();
      for (const path of ["/open/..%2f", "/a%5cb"]) await expectAll(400, path, bearer(good), path);
    });
  });

  test("Threat 17: a node of another organisation hears of what is shared with it, and reaches nothing", async () => {
    const rule = { name: "shared", action: "accept", match: { peerOrganisation: domain } };
    await using m1 = await NodeUnderTest.start({
      name: "m1",
      domain: globex,
      flags: ["--mesh-peering-import", JSON.stringify(rule)],
    });
    using inviter = await n1.connect("orchestrator", orchestratorContract);
    using joiner = await m1.connect("orchestrator", orchestratorContract);
    const { token: invitation } = await inviter.call.invitePeer({});
    await m1.until("it joins, once it has its certificate", 20_000, async () => {
      await joiner.call.joinPeer({ token: invitation, waitMs: 15_000 }, { timeoutMs: 60_000 });
      return true;
    });
    await m1.until("what is shared", 15_000, async () => (await m1.routes()).length > 0);
    const { token: good } = await token();
    const heard = [...(await m1.routes("received")), ...(await m1.routes("rejected"))];
    assert.deepEqual([...new Set(heard.map(({ service }) => service))], [`shared.${domain}`]);
    assert.doesNotMatch(JSON.stringify(await toldBy(m1)), new RegExp(`(?:web|inside)\\.${domain}`));
    await unseen(async () => {
      for (const port of [n1.ports.mesh, n2.ports.mesh]) {
        for (const name of ["web", "inside"]) {
          const headers = { ":authority": `${name}.${domain}`, ...bearer(good) };
          const asked = await overMesh(port, m1, headers).catch(() => ({ status: 0 }));
          assert.notEqual(asked.status, 200, name);
        }
      }
    });
  });

  test("Threat 18: no token, key or secret of either node is in a log, a metric or the administration of both", async () => {
    using auth = await n1.connect("auth", authContract);
    const { key } = await auth.call.createApiKey({ services: ["web"], ttlMs: 3_600_000 });
    const { token: made } = await token();
    await expectAll(200, "the key", { "x-api-key": key });
    await expectAll(200, "the token", bearer(made));
    await expectAll(401, "in the query", {}, `/?access_token=${made}`);
    const secretOf = (credential: string) => credential.slice(credential.lastIndexOf(".") + 1);
    const keys = [n1, n2].flatMap(privateKeysOf);
    assert.ok(keys.length >= 12, `${keys.length} lines of keys`);
    for (const node of [n1, n2]) {
      let places: string[] = [];
      await node.until("the access log names the caller", 5_000, async () => {
        places = await toldBy(node);
        return places.some((place) => place.includes('"caller":"apikey:'));
      });
      assert.ok(places.some((place) => place.includes("catalyst.credentials")));
      for (const secret of [secretOf(key), secretOf(made), joinToken, ...keys]) {
        const found = places.find((place) => place.includes(secret));
        assert.equal(found, undefined, `${secret.slice(0, 8)}…`);
      }
    }
  });

  test("Threat 19: administration, configuration and telemetry of both nodes are nowhere but on loopback and sockets of their own", async () => {
    const more = { n1: [peersPort, authorityPort], n2: [] as number[] };
    for (const [name, node] of Object.entries({ n1, n2 })) {
      const { ingress, egress, mesh, telemetry } = node.ports;
      const asked = [ingress, egress, mesh, telemetry, ...more[name as "n1" | "n2"]];
      assert.deepEqual(await listeningOf(node), asked.map((port) => `127.0.0.1:${port}`).sort(), name);
      assert.deepEqual(openSockets(node), [], name);
    }
  });

  test("Threats 8 and 22: with both orchestrators and auth processes stopped credentials are judged as before, and what expires meanwhile is refused", async () => {
    const [{ token: good }, other, made] = await Promise.all([
      token(),
      token({ services: ["inside"] }),
      Date.now(),
    ]);
    const brief = await token({ ttlMs: 1_000 });
    await expectAll(200, "a token that lasts a second", bearer(brief.token));
    const stopped = await Promise.all(
      [n1, n2].flatMap((node) => ["orchestrator", "auth"].map((child) => node.pidOf(child))),
    );
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    try {
      await expectAll(200, "a good token", bearer(good));
      await expectAll(403, "one for another service", bearer(other.token));
      await expectAll(401, "none", {});
      await expectAll(401, "one in the query", {}, `/?access_token=${good}`);
      await sleep(Math.max(0, made + 7_500 - Date.now()));
      await expectAll(401, "one that has expired", bearer(brief.token));
      await expectAll(200, "a good token", bearer(good));
    } finally {
      for (const pid of stopped) process.kill(pid, "SIGCONT");
    }
    for (const node of [n1, n2]) await node.ready();
  });

  test("Threat 24: what a revoked node has open, and what others have open to it, ends within 5 s; new requests are refused within 1 s", async (context) => {
    const { token: good } = await token({ services: ["web", "inside"] });
    const stream = async (node: NodeUnderTest, name: string): Promise<Socket> => {
      const socket = connect({ host: "127.0.0.1", port: node.ports.egress }).on("error", () => undefined);
      socket.write(
        `GET /events HTTP/1.1\r\nhost: ${name}.${domain}\r\nauthorization: Bearer ${good}\r\n\r\n`,
      );
      const [answer] = await once(socket, "data");
      assert.match(String(answer), /^HTTP\/1\.1 200 /);
      return socket.on("end", () => socket.destroy()).resume();
    };
    const open = { "from it": await stream(n2, "inside"), "to it": await stream(n1, "web") };
    const own = await stream(n1, "inside");
    using auth = await n1.connect("auth", authContract);
    await auth.call.revokeNode({ node: "n2" });
    const begun = performance.now();
    const since = () => Math.round(performance.now() - begun);
    const ends = Object.entries(open).map(async ([what, socket]) => {
      await once(socket, "close", { signal: AbortSignal.timeout(15_000) });
      return [what, since()] as const;
    });
    const asked = { ":authority": `inside.${domain}`, ...bearer(good) };
    const isRefused = async () =>
      (await overMesh(n1.ports.mesh, n2, asked).catch(() => ({ status: 0 }))).status !== 200;
    await n1.until("new requests are refused", 5_000, isRefused);
    const refusedMs = since();
    for (const [what, ms] of await Promise.all(ends)) {
      context.diagnostic(`a stream ${what} ended ${ms} ms after the command`);
      assert.ok(ms <= 5_000, `${what}: ${ms} ms`);
    }
    context.diagnostic(`new requests from it are refused after ${refusedMs} ms`);
    assert.ok(refusedMs < 1_000);
    assert.equal(own.closed, false, "what goes elsewhere goes on");
    own.destroy();
  });
});
