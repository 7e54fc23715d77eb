import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, createServer } from "node:tls";
import { IdentityError } from "../errors.ts";
import { createIssuingCertificate, createRootCertificate, issueLeaf } from "./authority.ts";
import { readPeerCertificate } from "./peer-certificate.ts";
import { toPem } from "./pem.ts";
import { createRevocationList } from "./revocation-list.ts";
import { createTestOrganisation, issueBelow, newSecret, type TestIdentity } from "./test-organisation.ts";

const domain = "acme.catalyst.internal";
const now = Date.now();
const dayMs = 86_400_000;
const acme = await createTestOrganisation(domain);
const folder = mkdtempSync(join(tmpdir(), "catalyst-authority-"));
after(() => rmSync(folder, { recursive: true }));

const parsed = (der: Uint8Array) => new X509Certificate(der);

/** What Node's TLS, which validates the path, makes of a client's chain: null, or the reason of its refusal. */
async function refusalByTls(client: TestIdentity, extra: { crl?: string[] } = {}): Promise<string | null> {
  const server = await acme.issue("n1", "authority");
  const ca = [toPem("CERTIFICATE", acme.root.certificate)];
  const listener = createServer({ ...server, ca, ...extra, requestCert: true, rejectUnauthorized: false });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({
    port,
    host: "127.0.0.1",
    ca,
    cert: client.cert,
    key: client.key,
    checkServerIdentity: () => undefined,
  });
  const [accepted] = await once(listener, "secureConnection");
  const reason = accepted.authorized === true ? null : String(accepted.authorizationError);
  socket.destroy();
  listener.close();
  return reason;
}

test("a root is a P-384 key that signs itself, for one more authority below it and for ten years", () => {
  const root = parsed(acme.root.certificate);
  assert.equal(root.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
  assert.ok(root.ca && root.verify(root.publicKey) && root.checkIssued(root));
  assert.equal(Math.round((root.validToDate.getTime() - now) / dayMs), 3_650);
});

test("another key than a P-384 one makes no root", async () => {
  await assert.rejects(createRootCertificate(newSecret(), { domain, now }), IdentityError);
});

test("a leaf is good for a day at most, and not longer than the authority above it", async () => {
  const id = { domain, node: "n1", process: "auth" };
  const endOf = (der: Uint8Array) => parsed(der).validToDate.getTime();
  const long = await issueLeaf(acme.issuing, newSecret(), { id, now, lifetimeMs: 30 * dayMs });
  assert.ok(endOf(long) <= now + dayMs);
  const secret = newSecret();
  const short = { domain, now, lifetimeMs: 60_000 };
  const issuing = { secret, certificate: await createIssuingCertificate(acme.rootAuthority, secret, short) };
  assert.equal(endOf(await issueLeaf(issuing, newSecret(), { id, now })), endOf(issuing.certificate));
});

test("a leaf names one process by its SPIFFE id and its node by DNS, and serves and calls", async () => {
  const { chain } = await acme.issue("n2", "envoy");
  const leaf = parsed(chain[0] ?? new Uint8Array());
  assert.equal(leaf.subjectAltName, `URI:spiffe://${domain}/node/n2/envoy, DNS:n2.${domain}`);
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.equal(leaf.ca, false);
  assert.match(leaf.serialNumber, /^[4-7][0-9A-F]{31}$/);
});

test("TLS of Node takes a leaf of the domain", async () => {
  assert.equal(await refusalByTls(await acme.issue("n2", "orchestrator")), null);
});

test("TLS of Node refuses what an issuing authority signs outside of its domain", async () => {
  const names = [
    { domain: "globex.catalyst.internal", node: "n2", process: "auth" },
    { domain: "internal", node: "n2", process: "auth" },
    { domain: `x.${domain}`, node: "n2", process: "auth" }, // below the domain in DNS, another trust domain in SPIFFE
  ];
  for (const id of names) {
    // Node has no name of its own for a violated constraint.
    assert.match(String(await refusalByTls(await issueBelow(acme.issuing, id))), /^UNSPECIFIED$/);
  }
});

test("TLS of Node refuses an authority below an issuing authority", async () => {
  const secret = newSecret();
  const below = {
    secret,
    certificate: await createIssuingCertificate(acme.issuing, secret, { domain, now }),
  };
  const leaf = await issueBelow(below, { domain, node: "n2", process: "auth" });
  const cert = leaf.cert + toPem("CERTIFICATE", acme.issuing.certificate);
  assert.match(String(await refusalByTls({ ...leaf, cert })), /PATH_LENGTH_EXCEEDED/);
});

test("a leaf's signer may be found again by its key alone, and by no other root", async () => {
  const { chain } = await acme.issue("n2", "auth");
  const other = await createTestOrganisation(domain);
  assert.equal(readPeerCertificate(chain, [acme.root.certificate])?.root, acme.root.thumbprint);
  assert.equal(
    readPeerCertificate(chain, [other.root.certificate, acme.root.certificate])?.root,
    acme.root.thumbprint,
  );
  assert.equal(readPeerCertificate(chain, [other.root.certificate])?.root, null);
});

test("a revocation list has the label that Envoy knows and a reason for each entry, and TLS goes by it", async () => {
  const [gone, good] = [await acme.issue("n2", "envoy"), await acme.issue("n3", "envoy")];
  const serial = parsed(gone.chain[0] ?? new Uint8Array()).serialNumber;
  const times = { now, lifetimeMs: dayMs };
  const list = await createRevocationList(acme.issuing, [{ serial, revokedAt: now }], times);
  const crl = [list, await createRevocationList(acme.rootAuthority, [], times)];
  assert.match(list, /^-----BEGIN X509 CRL-----\n/);
  assert.match(String(await refusalByTls(gone, { crl })), /revoked/i);
  assert.equal(await refusalByTls(good, { crl }), null);
  const file = join(folder, "list.pem");
  writeFileSync(file, list);
  const text = execFileSync("openssl", ["crl", "-in", file, "-noout", "-text"], { encoding: "utf8" });
  assert.match(text, /Privilege Withdrawn/);
});

test("a key of the test's leaves is the one of its certificate", async () => {
  const { chain, key } = await acme.issue("n2", "envoy");
  assert.ok(parsed(chain[0] ?? new Uint8Array()).checkPrivateKey(createPrivateKey(key)));
});
