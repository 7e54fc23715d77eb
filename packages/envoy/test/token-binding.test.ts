import assert from "node:assert/strict";
import { hash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { request as requestTls } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { createTestOrganisation, type TestIdentity } from "@catalyst/identity/testing";
import { compileCredentials } from "../src/auth.ts";
import { holderHeader } from "../src/internal-headers.ts";
import { compileSecret } from "../src/tls.ts";
import { domain, rulesOf, testIssuer } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { type Answer, ask, echoOf, errorOf, startUpstream, type Upstream } from "./upstream.ts";

const tokens = testIssuer("tokens");

/** What `cnf` of a token says that is bound to a certificate. */
function boundTo({ cert }: Pick<TestIdentity, "cert">) {
  return { "x5t#S256": hash("sha256", new X509Certificate(cert).raw, "base64url") };
}

describe("A token that is bound to a certificate", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;
  let alice: TestIdentity;
  let mallory: TestIdentity;

  before(async () => {
    const anybody = await createTestOrganisation("elsewhere.example");
    [alice, mallory] = [await anybody.issue("alice", "laptop"), await anybody.issue("mallory", "laptop")];
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    const service = { name: "products", protocol: "http", url: upstream.origin, timeoutMs: 5_000 } as const;
    envoy = await startEnvoy({
      services: [service, { ...service, name: "open" }],
      tls: true,
      gateway: true,
      mesh: { auth: { open: ["open"] } },
      extra: [compileSecret("ingress", certificate()), ...compileCredentials(rulesOf([tokens]))],
    });
  });
  after(async () => {
    await envoy?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });

  const overTls = (token: string, who: TestIdentity | null, headers: Record<string, string> = {}) =>
    asking(
      requestTls({
        host: "127.0.0.1",
        port: envoy.mesh.listen.ingressTls?.port,
        rejectUnauthorized: false,
        agent: false,
        ...(who === null ? {} : { cert: who.cert, key: who.key }),
        headers: { host: `products.${domain}`, authorization: `Bearer ${token}`, ...headers },
      }),
    );
  const fromGateway = (token: string, headers: Record<string, string> = {}) =>
    asking(
      request({
        socketPath: envoy.mesh.auth?.gatewaySocketPath,
        agent: false,
        headers: { host: `products.${domain}`, authorization: `Bearer ${token}`, ...headers },
      }),
    );

  test("is good over TLS with the certificate, and the service is told whose it is", async () => {
    const cnf = boundTo(alice);
    const answer = await overTls(tokens.issue({ sub: "alice", cnf }), alice);
    assert.equal(answer.status, 200, answer.body);
    const { headers } = echoOf(answer);
    assert.equal(headers["x-catalyst-caller"], "alice");
    assert.equal(headers[holderHeader], cnf["x5t#S256"]);
  });

  test("is refused with another certificate, without one, in plain text, and whatever the request says", async () => {
    const cnf = boundTo(alice);
    const token = tokens.issue({ cnf });
    const forged = { [holderHeader]: cnf["x5t#S256"], [`aside-${holderHeader}`]: cnf["x5t#S256"] };
    const before = upstream.requests();
    for (const headers of [{}, forged]) {
      for (const who of [mallory, null]) expectRefused(await overTls(token, who, headers));
      for (const { port } of [envoy.mesh.listen.ingress, envoy.mesh.listen.egress]) {
        const more = { authorization: `Bearer ${token}`, ...headers };
        expectRefused(await ask(port, { host: `products.${domain}`, headers: more }));
      }
    }
    assert.equal(upstream.requests(), before);
  });

  test("is good by the node's gateway, which tells whose request it carries, and for no other certificate", async () => {
    const cnf = boundTo(alice);
    const token = tokens.issue({ cnf });
    const told = (who: TestIdentity) => ({ [holderHeader]: boundTo(who)["x5t#S256"] });
    assert.equal((await fromGateway(token, told(alice))).status, 200);
    const forged = { [`aside-${holderHeader}`]: cnf["x5t#S256"] };
    for (const headers of [{}, told(mallory), forged]) expectRefused(await fromGateway(token, headers));
  });

  test("is refused when it is bound in a way that is not known here", async () => {
    const thumbprint = boundTo(alice)["x5t#S256"];
    const strange = [null, {}, [], "x", thumbprint, true, 1, { jkt: thumbprint }, { "x5t#S256": 1 }];
    for (const cnf of [...strange, { "x5t#S256": "" }, { "x5t#S256": [thumbprint] }, { "x5t#S256": null }]) {
      const token = tokens.issue({ cnf });
      for (const who of [alice, null]) {
        const answer = await overTls(token, who);
        assert.equal(answer.status, 403, JSON.stringify(cnf));
      }
      assert.equal((await fromGateway(token, { [holderHeader]: "" })).status, 403, JSON.stringify(cnf));
    }
  });

  test("is refused at open services too, which would be told whose it is", async () => {
    const authorization = `Bearer ${tokens.issue({ cnf: boundTo(alice) })}`;
    const before = upstream.requests();
    for (const { port } of [envoy.mesh.listen.ingress, envoy.mesh.listen.egress])
      expectRefused(await ask(port, { host: `open.${domain}`, headers: { authorization } }));
    assert.equal(upstream.requests(), before);
  });

  test("changes nothing for tokens that are bound to none, with a certificate or without", async () => {
    for (const who of [alice, null]) {
      assert.equal((await overTls(tokens.issue(), who)).status, 200);
      const other = await overTls(tokens.issue({ services: ["reviews"] }), who);
      assert.deepEqual([other.status, errorOf(other).extensions["service"]], [403, "products"]);
    }
  });

  test("is good whatever the digest of its certificate is, and on sessions that are taken up again", async () => {
    const anybody = await createTestOrganisation("many.example");
    for (let i = 0; i < 8; i++) {
      const who = await anybody.issue(`n${i}`, "laptop");
      assert.equal((await overTls(tokens.issue({ cnf: boundTo(who) }), who)).status, 200);
    }
    const { ingressTls } = envoy.mesh.listen;
    const dial = async (session?: Buffer) => {
      const socket = connect({
        host: "127.0.0.1",
        port: ingressTls?.port,
        rejectUnauthorized: false,
        cert: alice.cert,
        key: alice.key,
        ...(session === undefined ? {} : { session }),
      });
      const ticket = once(socket, "session");
      const token = tokens.issue({ cnf: boundTo(alice) });
      socket.write(`GET / HTTP/1.1\r\nhost: products.${domain}\r\nauthorization: Bearer ${token}\r\n\r\n`);
      const [answer] = await once(socket, "data");
      assert.match(String(answer), /^HTTP\/1\.1 200 /);
      const resumed = socket.isSessionReused();
      const [next] = (await ticket) as [Buffer];
      socket.destroy();
      return { resumed, session: next };
    };
    const { session } = await dial();
    assert.equal((await dial(session)).resumed, true);
  });
});

function expectRefused(answer: Answer): void {
  assert.equal(answer.status, 403, answer.body);
  const { message, extensions } = errorOf(answer);
  assert.equal(extensions["code"], "FORBIDDEN");
  assert.match(message, /is bound to a client certificate/);
}

function asking(sent: ReturnType<typeof request>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sent.on("error", reject).on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.end();
  });
}

function certificate() {
  const read = (file: string) => readFileSync(join(import.meta.dirname, "certificates", file), "utf8");
  return { certificate: read("node.pem"), privateKey: read("node-key.pem") };
}
