import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonSchema, loadConfig } from "@catalyst/config";
import { layeredConfig, loadLayered } from "@catalyst/config/testing";
import { createSigner, formatStatementKey, generateKey } from "@catalyst/identity";
import fc from "fast-check";
import { nodeConfig } from "./options.ts";

/** Each listener has a range of ports to itself: two cannot have one address. */
const address = (from: number) =>
  fc.tuple(fc.ipV4(), fc.integer({ min: from, max: from + 4_999 })).map(([host, port]) => `${host}:${port}`);

/** A root's kid and key belong together: they are of a few keys that were made before. */
const signers = Array.from({ length: 6 }, () => createSigner(generateKey("Ed25519")));
const trustRoot = fc
  .record({
    signer: fc.constantFrom(...signers),
    name: fc.domain().map((name) => name.toLowerCase()),
    covers: fc.constantFrom("name", "subtree"),
    withKey: fc.boolean(),
  })
  .map(({ signer, name, covers, withKey }) => {
    const key = withKey ? { key: formatStatementKey(signer.publicKey) } : {};
    return { kid: signer.kid, name, covers, ...key };
  });

const own = {
  "auth.trust.roots[]": trustRoot,
  "auth.authority.listen": address(15_000),
  "auth.authority.addresses[]": fc.constantFrom(
    "root.acme.example:10002",
    "192.0.2.1:443",
    "[2001:db8::1]:10002",
  ),
  "mesh.listen.ingress": address(20_000),
  "mesh.listen.ingressTls": address(30_000),
  "mesh.listen.egress": address(40_000),
  "mesh.listen.peers": address(60_000),
  "mesh.listen.mesh": address(60_000),
  "mesh.peers[].address": fc.constantFrom("n2.acme.example:7400", "192.0.2.2:7400", "[2001:db8::2]:7400"),
  "mesh.tcp[].listen": address(10_000),
  "mesh.peering.advertise": fc.constantFrom("n1.acme.example:10000", "192.0.2.1:10000"),
  "telemetry.listen": fc.oneof(address(50_000), fc.constant("off")),
};

test("any valid configuration as file, as variables, as flags, or split between them is the same in force", () => {
  fc.assert(
    fc.property(layeredConfig(nodeConfig, own), (layered) => {
      const result = loadLayered(nodeConfig, layered);
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.value, layered.effective);
    }),
    { numRuns: 50 },
  );
});

test("a node needs no configuration at all", () => {
  const result = loadConfig(nodeConfig, {});
  assert.ok(result.ok);
  assert.deepEqual(result.value.mesh.listen, { ingress: "127.0.0.1:10000", egress: "127.0.0.1:10001" });
  assert.deepEqual(result.value.mesh.services, []);
});

test("every fault is found at once, with where it is and the nearest known name", () => {
  const text = `{
  "node": { "nmae": "n1", "domain": "ACME" },
  "mesh": { "services": [{ "name": "a", "protocol": "graphq", "url": "htp:/x" }, { "name": "a" }] }
}`;
  const result = loadConfig(nodeConfig, {
    file: { path: "catalyst.json", text },
    env: { CATALYST_MESH_LISTEN_INGRES: "x" },
    flags: [{ flag: "--egres", value: "127.0.0.1:1" }],
  });
  assert.ok(!result.ok);
  const seen = result.faults.map(({ key, nearest }) => [key, nearest ?? null]);
  for (const nearest of ["name", "--egress", "CATALYST_MESH_LISTEN_INGRESS"]) {
    assert.ok(
      seen.some((each) => each[1] === nearest),
      `${nearest}: ${JSON.stringify(seen)}`,
    );
  }
  assert.ok(seen.some(([key]) => key === "node.domain"));
  assert.ok(seen.some(([key]) => key?.endsWith(".protocol")));
  assert.ok(seen.some(([key]) => key?.endsWith(".url")));
});

test("two listeners cannot have one address, and a service cannot be the node itself", () => {
  const flags = [
    { flag: "--egress", value: "127.0.0.1:10000" },
    { flag: "--telemetry-listen", value: "0.0.0.0:10000" },
    { flag: "--service", value: "name=loop,protocol=http,url=http://localhost:10000/" },
  ];
  const result = loadConfig(nodeConfig, { flags });
  assert.ok(!result.ok);
  const problems = result.faults.map(({ key, problem }) => `${key} ${problem}`).join("\n");
  assert.match(problems, /mesh\.listen\.egress must differ from mesh\.listen\.ingress/);
  assert.match(problems, /telemetry\.listen must differ from mesh\.listen\.ingress/);
  assert.match(problems, /mesh\.services\[loop\]\.url leads back to this node/);
});

test("the JSON Schema is one of an object with the node's sections", () => {
  const schema = jsonSchema(nodeConfig) as { properties: object };
  assert.deepEqual(
    Object.keys(schema.properties).filter((name) => name !== "$schema"),
    ["node", "mesh", "auth", "content", "star", "telemetry"],
  );
});
