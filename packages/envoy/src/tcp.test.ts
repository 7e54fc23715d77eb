import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { EnvoyError } from "./errors.ts";
import type { MeshInput } from "./mesh.ts";
import { compileMeshListener } from "./mesh-listener.ts";
import { type ServicePath, servedHere } from "./reachable.ts";
import { MeshTranslation } from "./translation.ts";

const host = "127.0.0.1";
const domain = "acme.catalyst.internal";
const mesh: MeshInput = {
  domain,
  node: "n1",
  listen: { ingress: { host, port: 1 }, egress: { host, port: 2 }, mesh: { host, port: 3 } },
  gateway: { socketPath: "/run/gateway.sock" },
  tcp: [
    { name: "pg", listen: { host, port: 4 } },
    { name: "web", listen: { host, port: 5 } },
  ],
};
const pg: ServiceDeclaration = { name: "pg", protocol: "tcp", url: "tcp://127.0.0.1:5432", timeoutMs: 1_000 };
const toNode: ServicePath = {
  to: "node",
  nextHop: { host, port: 9, sni: `n2.${domain}`, spiffeId: `spiffe://${domain}/node/n2/envoy` },
};
const elsewhere = { name: "pg", protocol: "tcp", paths: [toNode] } as const;

function translate(input: MeshInput, ...put: Parameters<MeshTranslation["plan"]>[0]["put"] & object) {
  const translation = new MeshTranslation(input);
  translation.commit(translation.plan({ put }));
  return translation;
}

const namesOf = (translation: MeshTranslation) => translation.resourcesOf("pg").map(({ name }) => name);

test("A TCP service that needs a credential is not served, and that is said; one in auth.open is", () => {
  for (const service of [servedHere(pg), elsewhere]) {
    const closed = translate({ ...mesh, auth: { open: ["web"] } }, service);
    assert.deepEqual(namesOf(closed), []);
    assert.match(closed.withheld("pg") ?? "", /auth\.open/);
    assert.match(closed.tcpFault("pg") ?? "", /auth\.open/);
    const open = translate({ ...mesh, auth: { open: ["pg"] } }, service);
    assert.equal(open.withheld("pg"), null);
    assert.equal(open.tcpFault("pg"), null);
  }
});

test("Without TLS between nodes a TCP service is reached where it stands, and nowhere else", () => {
  const plain = { ...mesh, nodes: "plain" } as const;
  assert.match(translate(plain, elsewhere).withheld("pg") ?? "", /insecurePlain/);
  const both = translate(plain, { ...servedHere(pg), paths: [...servedHere(pg).paths, toNode] });
  assert.deepEqual(namesOf(both), [`tcp-here/pg.${domain}`, "tcp-port/pg"]);
});

test("A port that leads nowhere says why", () => {
  const web = { ...pg, name: "web", protocol: "http", url: "http://127.0.0.1:1/" } as const;
  const translation = translate(mesh, servedHere(web));
  assert.match(translation.tcpFault("pg") ?? "", /no node/);
  assert.match(translation.tcpFault("web") ?? "", /does not speak TCP/);
});

test("A TCP service without a port here costs nothing where it does not stand, and is there for others where it does", () => {
  const { tcp: _, ...portless } = mesh;
  assert.deepEqual(namesOf(translate(portless, elsewhere)), []);
  assert.deepEqual(namesOf(translate(portless, servedHere(pg))), [
    `tcp-here/pg.${domain}`,
    `tcp/pg.${domain}`,
    `tcp/pg.${domain}`,
  ]);
});

test("A TCP service with another URL is refused", () => {
  const wrong = { ...pg, url: "http://127.0.0.1:5432" };
  assert.throws(
    () => translate(mesh, servedHere(wrong)),
    (error) => error instanceof EnvoyError && error.code === "service_invalid",
  );
});

test("The mesh listener is another one when other nodes are known or revoked, in whatever order they are told", () => {
  const version = (known: string[], ...denied: string[]) => {
    const all = denied.map((node) => ({ domain, node, serial: null }));
    return compileMeshListener(mesh, { known, denied: all })?.version;
  };
  const [n2, n3] = [`n2.${domain}`, `n3.${domain}`];
  assert.equal(version([n2, n3], "n4", "n5"), version([n3, n2, n2], "n5", "n4"));
  assert.equal(new Set([version([]), version([n2]), version([], "n4"), version([n2], "n4")]).size, 4);
  const { mesh: __, ...listen } = mesh.listen;
  assert.equal(compileMeshListener({ ...mesh, listen }), null);
});
