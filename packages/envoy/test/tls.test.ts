import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { connect, type PeerCertificate } from "node:tls";
import { defaultKey } from "@catalyst/xds";
import { EnvoyError } from "../src/errors.ts";
import { compileSecret, type KeyPair } from "../src/tls.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask, errorOf } from "./upstream.ts";

const domain = "acme.catalyst.internal";

test("Clients reach the node over TLS 1.3 with HTTP/2, and a new certificate serves at once", {
  skip: envoyMissing,
}, async () => {
  await using envoy = await startEnvoy({ tls: true, extra: [compileSecret("ingress", pairOf("node"))] });
  const before = await handshake(envoy);
  assert.deepEqual([before.protocol, before.alpn, before.subject], ["TLSv1.3", "h2", "node"]);
  envoy.xds.update(defaultKey, { upsert: [compileSecret("ingress", pairOf("localhost"))] });
  await until(async () => (await handshake(envoy)).subject === "localhost");
});

test("An https service is trusted by its authority and its name, and refused otherwise", {
  skip: envoyMissing,
}, async () => {
  await using secure = await startSecure(pairOf("localhost"));
  await using envoy = await startEnvoy({
    mesh: { upstreamTrust: pairOf("localhost").certificate },
    services: [
      { name: "named", protocol: "http", url: `https://localhost:${secure.port}/`, timeoutMs: 2_000 },
      { name: "other", protocol: "http", url: `https://127.0.0.1:${secure.port}/`, timeoutMs: 2_000 },
    ],
  });
  const get = (name: string) => ask(envoy.mesh.listen.egress.port, { host: `${name}.${domain}` });
  assert.equal((await get("named")).body, "over TLS");
  const refused = await get("other");
  assert.equal(refused.status, 503);
  assert.equal(errorOf(refused).extensions["service"], "other");
  assert.match(String(errorOf(refused).extensions["details"]), /CERTIFICATE_VERIFY_FAILED/);
});

test("Without a word on trust, a service is checked against public authorities", {
  skip: envoyMissing,
}, async () => {
  await using secure = await startSecure(pairOf("localhost"));
  const url = `https://127.0.0.1:${secure.port}/`;
  await using envoy = await startEnvoy({
    services: [{ name: "own", protocol: "http", url, timeoutMs: 2_000 }],
  });
  const refused = await ask(envoy.mesh.listen.egress.port, { host: `own.${domain}` });
  assert.match(String(errorOf(refused).extensions["details"]), /CERTIFICATE_VERIFY_FAILED/);
});

test("A secret that is no PEM is refused before it reaches Envoy", () => {
  assert.throws(
    () => compileSecret("ingress", { certificate: "not-pem", privateKey: "hush" }),
    (error) =>
      error instanceof EnvoyError && error.code === "secret_invalid" && !error.message.includes("hush"),
  );
});

async function startSecure(pair: KeyPair): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ cert: pair.certificate, key: pair.privateKey }, (_request, response) => {
    response.end("over TLS");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function handshake(envoy: EnvoyUnderTest) {
  const { host, port } = envoy.mesh.listen.ingressTls ?? { host: "", port: 0 };
  const socket = connect({
    host,
    port,
    servername: `products.${domain}`,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  await once(socket, "secureConnect");
  const certificate: PeerCertificate = socket.getPeerCertificate();
  const seen = { protocol: socket.getProtocol(), alpn: socket.alpnProtocol, subject: certificate.subject.CN };
  socket.destroy();
  return seen;
}

/** Self-signed for a hundred years: `node` for the names of the domain, `localhost` for itself. */
function pairOf(name: "node" | "localhost"): KeyPair {
  const read = (file: string) => readFileSync(join(import.meta.dirname, "certificates", file), "utf8");
  return { certificate: read(`${name}.pem`), privateKey: read(`${name}-key.pem`) };
}
