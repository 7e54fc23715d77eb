import assert from "node:assert/strict";
import { webcrypto, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import "reflect-metadata";
import { freePorts, httpService, NodeUnderTest } from "@catalyst/harness";
import { X509CertificateGenerator } from "@peculiar/x509";

const names = {
  ecdsa: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  /** Too short for Envoy, which refuses RSA keys below 2,048 bits; Node takes it. */
  weakRsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 1024,
  },
};

async function certificate(kind: keyof typeof names, subject: string) {
  const algorithm = names[kind];
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const made = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${subject}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys: keys as never,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificate: made.toString("pem"),
    privateKey: `-----BEGIN PRIVATE KEY-----\n${key.match(/.{1,64}/g)?.join("\n")}\n-----END PRIVATE KEY-----\n`,
  };
}

type CryptoKeyPair = { readonly publicKey: webcrypto.CryptoKey; readonly privateKey: webcrypto.CryptoKey };

function subjectAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, servername: "n1" }, () => {
      const peer = new X509Certificate(socket.getPeerCertificate().raw);
      socket.destroy();
      resolve(peer.subject);
    });
    socket.on("error", reject);
  });
}

test("a resource that Envoy rejects is held back and named, everything else flows", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-quarantine-"));
  const files = { certificate: join(folder, "node.crt"), privateKey: join(folder, "node.key") };
  const write = async (kind: keyof typeof names, subject: string) => {
    const pair = await certificate(kind, subject);
    writeFileSync(files.certificate, pair.certificate);
    writeFileSync(files.privateKey, pair.privateKey);
  };
  await write("ecdsa", "first");
  const [port = 0] = await freePorts(1);
  await using web = await httpService("web", (_request, response) => response.end("here"));
  await using node = await NodeUnderTest.start({
    flags: [
      ...["--ingress-tls", `127.0.0.1:${port}`],
      ...["--mesh-tls-certificate-file", files.certificate, "--mesh-tls-private-key-file", files.privateKey],
    ],
  });
  assert.equal(await subjectAt(port), "CN=first");

  await write("weakRsa", "weak");
  await node.until(
    "the certificate is held back",
    10_000,
    async () => (await node.mesh()).quarantined.length === 1,
  );
  const [held] = (await node.mesh()).quarantined;
  assert.partialDeepStrictEqual(held, { type: "Secret", name: "ingress" });
  assert.match(held?.message ?? "", /RSA/);
  assert.equal(await subjectAt(port), "CN=first", "the last good one serves");
  const added = await node.addService(web.declaration);
  assert.equal(added.activation.envoy, "acknowledged", "a later change flows");
  assert.equal((await node.mesh()).proxies.length, 1);

  await write("ecdsa", "second");
  await node.until("the next good one is taken", 10_000, async () => (await subjectAt(port)) === "CN=second");
  await node.until("nothing is held back", 5_000, async () => (await node.mesh()).quarantined.length === 0);
  rmSync(folder, { recursive: true });
});
