import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePorts, getByHost, httpService, NodeUnderTest } from "@catalyst/harness";
import { generateKey, mintToken, type PrivateKey, tokenJwkOf } from "@catalyst/identity";
import { selfSigned, type TestIdentity } from "@catalyst/identity/testing";
import { authContract } from "@catalyst/rpc";

const domain = "test.catalyst.internal";
const folder = mkdtempSync(join(tmpdir(), "catalyst-by-path-"));
after(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

/** A certificate that a node signed for itself, by which it can be told from one of another age. */
const signedBy = (node: string, minutesAgo = 0) =>
  selfSigned({ domain, node, process: "orchestrator" }, Date.now() - minutesAgo * 60_000);

/** Puts a certificate and its key where a node's configuration names them. */
const shown = (name: string, { cert, key }: TestIdentity) => {
  const files = [fileOf(`${name}.pem`, cert), fileOf(`${name}.key.pem`, key)];
  const [certificateFile, privateKeyFile] = files;
  return [
    "--process-certificate",
    JSON.stringify({ process: "orchestrator", certificateFile, privateKeyFile }),
  ];
};

const jwksOf = (...keys: readonly PrivateKey[]) =>
  JSON.stringify({
    keys: keys.flatMap(({ publicKey }) => (publicKey.algorithm === "P-256" ? [tokenJwkOf(publicKey)] : [])),
  });

function tokenOf(key: PrivateKey): string {
  const [issuer, subject] = [`https://${domain}`, `spiffe://${domain}/node/n9/test`];
  const asked = { issuer, audience: domain, subject, services: ["web"], ttlMs: 600_000, now: Date.now() };
  return mintToken(key, { kind: "tokens", ...asked }).token;
}

async function believedAt(node: NodeUnderTest) {
  using auth = await node.connect("auth", authContract);
  const told = (await auth.call.check(undefined)).find(({ code }) => code === "auth.believed");
  return `${told?.outcome}: ${told?.detail}`;
}

test("Certificates, pinned nodes and token keys by path are taken up when they change, and a damaged file changes nothing", async () => {
  const [port = 0] = await freePorts(1);
  const [one, first, second] = [await signedBy("n1"), await signedBy("n2", 10), await signedBy("n2")];
  const [oldKey, newKey] = [generateKey("P-256"), generateKey("P-256")];
  const pinned = fileOf("pinned-at-n1.pem", first.cert);
  const jwks = fileOf("jwks.json", jwksOf(oldKey));
  await using web = await httpService("web", (_, response) => void response.end("ok"));
  await using n1 = await NodeUnderTest.start({
    services: [web.declaration],
    flags: [
      ...["--listen-peers", `127.0.0.1:${port}`, "--auth-required", ...shown("n1", one)],
      ...["--auth-identity-pinned-files", pinned, "--auth-identity-jwks-file", jwks],
    ],
  });
  const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${port}` });
  await using _n2 = await NodeUnderTest.start({
    name: "n2",
    flags: [
      "--peer",
      peer,
      ...shown("n2", first),
      "--auth-identity-pinned-files",
      fileOf("pinned-at-n2.pem", one.cert),
    ],
  });
  const endOf = async () => {
    const found = (await n1.peers()).find(
      ({ node, state }) => node === `n2.${domain}` && state === "established",
    );
    return Date.parse(found?.certificateNotAfter ?? "");
  };
  await n1.until("n2 is let in", 15_000, async () => !Number.isNaN(await endOf()));
  const firstEnd = await endOf();

  writeFileSync(pinned, second.cert.slice(0, -100));
  await n1.until("the damage is told of", 10_000, async () =>
    /^failed: .*pinnedFiles/.test(await believedAt(n1)),
  );
  assert.equal(await endOf(), firstEnd);

  // Of the two files of a pair one is there before the other: in between nothing is shown that does not fit.
  shown("n2", second);
  writeFileSync(pinned, second.cert);
  await n1.until("n2 has come back with its new certificate", 15_000, async () => (await endOf()) > firstEnd);
  assert.equal(await believedAt(n1), "ok: ok");

  const reach = async (key: PrivateKey) => {
    const headers = { authorization: `Bearer ${tokenOf(key)}` };
    return (await getByHost(n1.ports.ingress, `web.${domain}`, "/", headers)).status;
  };
  await n1.until("the old key is believed", 10_000, async () => (await reach(oldKey)) === 200);
  assert.equal(await reach(newKey), 401);
  writeFileSync(jwks, jwksOf(newKey));
  await n1.until("the new key is believed", 10_000, async () => (await reach(newKey)) === 200);
  assert.equal(await reach(oldKey), 401);
  writeFileSync(jwks, "{");
  await n1.until("the damage is told of", 10_000, async () =>
    /^failed: .*jwksFile/.test(await believedAt(n1)),
  );
  assert.equal(await reach(newKey), 200);
});
