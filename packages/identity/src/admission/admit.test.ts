import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { chainOf, type PeerCertificate, readPeerCertificate } from "../certificate/peer-certificate.ts";
import { createTestOrganisation, selfSigned, type TestIdentity } from "../certificate/test-organisation.ts";
import { type AdmissionDoor, admissionContract, type Knock } from "./admission-contract.ts";
import { type AdmittedProtocol, admit } from "./admit.ts";
import { authoritiesOf, type PeerTrust } from "./peer-trust.ts";

const protocols = [
  { name: "cp", process: "orchestrator" },
  { name: "tp", process: "content" },
  { name: "mesh", process: "envoy" },
  { name: "star", process: "content" },
  { name: "authority", process: "authority" },
  { name: "member", process: "auth" },
] as const;

/** The decision alone, of a chain that nobody has validated before. */
async function openDecision(first: PeerTrust, protocol: AdmittedProtocol): Promise<AdmissionDoor> {
  let trust = first;
  return {
    knock: async (peer) => judged(peer?.chain ?? [], trust, protocol),
    trust: async (next) => {
      trust = next;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function judged(chain: readonly Uint8Array[], trust: PeerTrust, protocol: AdmittedProtocol): Knock {
  const roots = trust.roots.map(({ certificate }) => certificate);
  const question = { certificate: readPeerCertificate(chain, roots), protocol, now: Date.now() };
  const admission = admit(question, trust);
  return admission.kind === "admitted"
    ? { kind: "admitted", spiffeId: admission.names[0] }
    : { kind: "refused", code: admission.code };
}

/** TLS of Node before the decision: mutual, 1.3. */
async function openTls(
  first: PeerTrust,
  protocol: AdmittedProtocol,
  server: TestIdentity,
): Promise<AdmissionDoor> {
  let trust = first;
  const context = () => ({ cert: server.cert, key: server.key, ca: [...authoritiesOf(trust)] });
  const verdicts: ((knock: Knock) => void)[] = [];
  const listener = createServer(
    { ...context(), requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
    (socket: TLSSocket) => {
      verdicts.shift()?.(judged(chainOf(socket), trust, protocol));
      socket.end();
    },
  );
  listener.on("tlsClientError", () => verdicts.shift()?.({ kind: "refused", code: null }));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    knock: (peer) =>
      new Promise((resolve) => {
        verdicts.push(resolve);
        const own = peer === null ? {} : { cert: peer.cert, key: peer.key };
        const client = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...own });
        client.on("error", () => undefined).resume();
      }),
    trust: async (next) => {
      trust = next;
      listener.setSecureContext({ ...context(), minVersion: "TLSv1.3" });
    },
    [Symbol.asyncDispose]: async () => void listener.close(),
  };
}

for (const protocol of protocols) {
  admissionContract("the decision", protocol, (trust) => openDecision(trust, protocol.name));
}

const server = await selfSigned({ domain: "door.catalyst.internal", node: "n1", process: "envoy" });
admissionContract("TLS of Node", protocols[0], (trust) => openTls(trust, "cp", server));

const acme = await createTestOrganisation("acme.catalyst.internal");
const trust: PeerTrust = { roots: [acme.root], pinned: [], denied: [] };
const { chain } = await acme.issue("n2", "orchestrator");
const certificate = readPeerCertificate(chain, [acme.root.certificate]) as PeerCertificate;
const question = { certificate, protocol: "cp", now: Date.now() } as const;

test("who is admitted has the names of its certificate and no others", () => {
  const admission = admit(question, trust);
  assert.equal(admission.kind, "admitted");
  assert.deepEqual(admission.kind === "admitted" && admission.names, [
    "spiffe://acme.catalyst.internal/node/n2/orchestrator",
    "n2.acme.catalyst.internal",
  ]);
  assert.equal(admission.kind === "admitted" && admission.until, certificate.notAfter);
});

test("a certificate with a name beside its node's is refused", () => {
  const greedy = { ...certificate, dnsNames: ["n2.acme.catalyst.internal", "n3.acme.catalyst.internal"] };
  const admission = admit({ ...question, certificate: greedy }, trust);
  assert.equal(admission.kind === "refused" && admission.code, "certificate_unnamed");
});

test("who answers for another node than was called is refused", () => {
  const called = (expected: { domain: string; node?: string }) => admit({ ...question, expected }, trust);
  const { domain } = acme;
  assert.equal(called({ domain }).kind, "admitted");
  assert.equal(called({ domain, node: "n2" }).kind, "admitted");
  for (const expected of [{ domain, node: "n3" }, { domain: "globex.catalyst.internal" }]) {
    const refusal = called(expected);
    assert.equal(refusal.kind === "refused" && refusal.code, "peer_unexpected");
    assert.match(refusal.kind === "refused" ? refusal.text : "", /n2\.acme\.catalyst\.internal answered/);
  }
});

test("a certificate is good to the end of its time and not a millisecond longer", () => {
  const at = (now: number) => admit({ ...question, now }, trust);
  assert.equal(at(certificate.notBefore).kind, "admitted");
  assert.equal(at(certificate.notAfter - 1).kind, "admitted");
  for (const [now, code] of [
    [certificate.notBefore - 1, "certificate_early"],
    [certificate.notAfter, "certificate_expired"],
  ] as const) {
    const refusal = at(now);
    assert.equal(refusal.kind === "refused" && refusal.code, code);
  }
});

test("every refusal says what to do", () => {
  const denied = [{ domain: acme.domain, node: "n2", serial: null }];
  const refusals = [
    admit({ ...question, certificate: null }, trust),
    admit({ ...question, certificate: { ...certificate, id: null } }, trust),
    admit(question, { ...trust, roots: [] }),
    admit({ ...question, certificate: { ...certificate, root: null } }, trust),
    admit({ ...question, protocol: "mesh" }, trust),
    admit(question, { ...trust, denied }),
  ];
  for (const refusal of refusals) {
    assert.equal(refusal.kind, "refused");
    assert.match(refusal.kind === "refused" ? refusal.text : "", /: [a-z].{12,}/);
  }
});

test("what is no certificate is nobody's", () => {
  assert.equal(readPeerCertificate([], []), null);
  assert.equal(readPeerCertificate([new Uint8Array([0x30, 0])], []), null);
});
