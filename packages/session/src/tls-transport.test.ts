import assert from "node:assert/strict";
import { test } from "node:test";
import { admit, type PeerTrust } from "@catalyst/identity";
import { createTestOrganisation } from "@catalyst/identity/testing";
import {
  type Channel,
  createSessions,
  type Sessions,
  type TlsCredentials,
  tlsTransports,
} from "@catalyst/session";

const acme = await createTestOrganisation("acme.catalyst.internal");
const trust: PeerTrust = { roots: [acme.root], pinned: [], denied: [] };

async function credentialsOf(node: string): Promise<TlsCredentials> {
  const { cert, key } = await acme.issue(node, "orchestrator");
  return { certificateChain: cert, privateKey: key, trust };
}

function nodeOf(
  label: string,
  credentials: () => TlsCredentials,
  open: (channel: Channel) => void,
): Sessions {
  return createSessions(
    {
      node: `${label}.acme.catalyst.internal`,
      domain: "acme.catalyst.internal",
      transports: tlsTransports({ credentials }),
      protocols: [{ name: "cp", versions: [1], open }],
      admit: ({ certificate }) => {
        const admission = admit({ certificate, protocol: "cp", now: Date.now() }, credentials().trust);
        return admission.kind === "admitted"
          ? { admitted: true }
          : { admitted: false, reason: admission.text };
      },
    },
    { holdMs: 1_000 },
  );
}

test("two nodes have a session over TLS 1.3, and messages of any size pass both ways", async () => {
  const [one, two] = [await credentialsOf("n1"), await credentialsOf("n2")];
  const atOne = Promise.withResolvers<Channel>();
  const atTwo = Promise.withResolvers<Channel>();
  await using a = nodeOf("n1", () => one, atOne.resolve);
  await using b = nodeOf("n2", () => two, atTwo.resolve);
  const address = await b.listen("127.0.0.1:0");
  a.setPeers([{ node: "n2.acme.catalyst.internal", address }]);
  const [here, there] = await Promise.all([atOne.promise, atTwo.promise]);
  assert.equal(there.peer.node, "n1.acme.catalyst.internal");
  assert.equal(there.peer.authenticated, true);
  const sizes = [1, 100_000, here.maxMessageBytes];
  const sending = (async () => {
    for (const size of sizes) await here.send(new Uint8Array(size).fill(size % 251));
  })();
  const received: Uint8Array[] = [];
  for await (const message of there) {
    received.push(message);
    if (received.length === sizes.length) break;
  }
  await sending;
  assert.deepEqual(
    received.map(({ length }) => length),
    sizes,
  );
  assert.ok(received.every((bytes) => bytes.every((byte) => byte === bytes.length % 251)));
});
