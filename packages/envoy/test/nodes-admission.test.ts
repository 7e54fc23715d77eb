import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, describe, test } from "node:test";
import {
  type AdmissionDoor,
  admissionContract,
  createTestOrganisation,
  type Knock,
  selfSigned,
  type TestIdentity,
} from "@catalyst/identity/testing";
import { defaultKey } from "@catalyst/xds";
import { compileNodeTrust, type NodeTrust } from "../src/node-access.ts";
import { nodeHealthPath } from "../src/node-cluster.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";

/** One request over a connection of its own: who gets an answer is in. */
function knock(port: number, peer: TestIdentity | null): Promise<Knock> {
  const { promise, resolve } = Promise.withResolvers<Knock>();
  const shown = peer === null ? {} : { cert: peer.cert, key: peer.key };
  const session = connect(`https://127.0.0.1:${port}`, { ...shown, rejectUnauthorized: false });
  const refused = () => resolve({ kind: "refused", code: null });
  session.on("error", refused).on("close", refused);
  const request = session.request({ ":path": nodeHealthPath, ":authority": "n1.acme.catalyst.internal" });
  request.on("error", refused);
  request.on("response", ({ ":status": status }) => {
    resolve(status === 200 ? { kind: "admitted", spiffeId: null } : { kind: "refused", code: null });
    session.destroy();
  });
  request.end();
  return promise;
}

describe("Envoy's mesh listener", { skip: envoyMissing }, () => {
  let envoy: EnvoyUnderTest;
  before(async () => {
    const acme = await createTestOrganisation("acme.catalyst.internal");
    const { cert: certificate, key: privateKey } = await acme.issue("n1", "envoy");
    const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, "acme.catalyst.internal");
    envoy = await startEnvoy({
      nodes: true,
      extra: [compileNodeIdentity({ certificate, privateKey }), ...trust],
    });
  });
  after(() => envoy?.[Symbol.asyncDispose]());

  const believe = async (trust: NodeTrust) => {
    envoy.xds.update(defaultKey, { upsert: compileNodeTrust(trust, "acme.catalyst.internal") });
    await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 });
  };
  test("Who alone was pinned is let in no more when nobody is", async () => {
    const port = envoy.mesh.listen.mesh?.port ?? 0;
    const domain = "acme.catalyst.internal";
    const peer = await selfSigned({ domain, node: "n2", process: "envoy" });
    const [certificate = new Uint8Array()] = peer.chain;
    await believe({ roots: [], pinned: [{ domain, certificate }], denied: [] });
    assert.equal((await knock(port, peer)).kind, "admitted");
    await believe({ roots: [], pinned: [], denied: [] });
    assert.deepEqual(envoy.xds.quarantined(), []);
    assert.equal((await knock(port, peer)).kind, "refused");
  });

  admissionContract("Envoy's mesh listener", { name: "mesh", process: "envoy" }, async (trust) => {
    await believe(trust);
    return {
      knock: (peer) => knock(envoy.mesh.listen.mesh?.port ?? 0, peer),
      trust: believe,
      [Symbol.asyncDispose]: async () => undefined,
    } satisfies AdmissionDoor;
  });
});
