import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { freePorts } from "@catalyst/harness/free-ports";
import { createTestOrganisation, issueForSeveral, type TestOrganisation } from "@catalyst/identity/testing";
import { defaultKey } from "@catalyst/xds";
import { readAdmin } from "../src/admin.ts";
import { compileNodeTrust, type NodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import type { NextHop, ReachableService } from "../src/reachable.ts";
import { MeshTranslation } from "../src/translation.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { converse, dial, startTcpService, type TcpService } from "./tcp-service.ts";

const domain = "acme.catalyst.internal";

const here = (name: string, url: string): ReachableService => ({
  name,
  protocol: "tcp",
  paths: [{ to: "here", service: { name, protocol: "tcp", url, timeoutMs: 1_000 } }],
});

const hopTo = (envoy: EnvoyUnderTest, node: string): NextHop => ({
  host: "127.0.0.1",
  port: envoy.mesh.listen.mesh?.port ?? 0,
  sni: `${node}.${domain}`,
  spiffeId: `spiffe://${domain}/node/${node}/envoy`,
});

const at = (name: string, ...nextHops: NextHop[]): ReachableService => ({
  name,
  protocol: "tcp",
  paths: nextHops.map((nextHop) => ({ to: "node", nextHop })),
});

describe("TCP services of other nodes", { skip: envoyMissing }, () => {
  let acme: TestOrganisation;
  let service: TcpService;
  let other: TcpService;
  let [pg, both, gone] = [0, 0, 0];
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;
  let n3: EnvoyUnderTest;

  before(async () => {
    acme = await createTestOrganisation(domain);
    [service, other] = await Promise.all([startTcpService("hello "), startTcpService("other ")]);
    [pg = 0, both = 0, gone = 0] = await freePorts(3);
    const start = async (
      node: string,
      tcp: { name: string; listen: { host: string; port: number } }[] = [],
    ) => {
      const { cert: certificate, key: privateKey } = await acme.issue(node, "envoy");
      const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
      const extra = [compileNodeIdentity({ certificate, privateKey }), ...trust];
      return startEnvoy({ nodes: true, mesh: { node, domain, tcp }, extra });
    };
    const port = (name: string, number: number) => ({ name, listen: { host: "127.0.0.1", port: number } });
    [n1, n2, n3] = await Promise.all([
      start("n1", [port("pg", pg), port("both", both), port("gone", gone)]),
      start("n2"),
      start("n3"),
    ]);
  });
  after(async () => {
    await Promise.all([n1, n2, n3].map((envoy) => envoy?.[Symbol.asyncDispose]()));
    await Promise.all([service, other].map((each) => each?.[Symbol.asyncDispose]()));
  });

  test("A TCP service of another node answers at this one's port, also one that speaks first", async () => {
    await n2.apply({ put: [here("pg", service.url)] });
    await n1.apply({ put: [at("pg", hopTo(n2, "n2"))] });
    assert.equal(await converse(pg, "ping "), "hello ping bye");
  });

  test("Each side finishes by itself, and what the other one says afterwards still arrives", async () => {
    const socket = dial(pg);
    let heard = "";
    socket.on("data", (bytes) => {
      heard += bytes;
    });
    await until(() => heard === "hello ");
    const before = service.heardBytes();
    socket.write("finish");
    await once(socket, "end");
    assert.equal(heard, "hello done");
    socket.end("and more");
    await until(() => service.heardBytes() === before + "finishand more".length);
  });

  test("The service sees the connections of clients and no others", async () => {
    const before = service.accepted();
    await sleep(1_500);
    assert.equal(service.accepted(), before, "nothing looks whether it is there");
  });

  test("A port is open while there is a way to the service, and closed otherwise", async () => {
    await n1.apply({ put: [at("gone", hopTo(n2, "n2"))] });
    assert.equal(await refuses(gone), false);
    assert.equal(await converse(gone, "x"), null, "the other node has no such service");
    await n1.apply({ remove: ["gone"] });
    await until(() => refuses(gone));
  });

  test("A connection that one node does not take goes to the next, and to the first again when that is back", async () => {
    await n3.apply({ put: [here("both", other.url)] });
    await n1.apply({ put: [at("both", { ...hopTo(n2, "n2"), port: 9 }, hopTo(n3, "n3"))] });
    assert.equal(await converse(both, "ping "), "other ping bye");
    await n2.apply({ put: [here("both", service.url)] });
    await n1.apply({ put: [at("both", hopTo(n2, "n2"), hopTo(n3, "n3"))] });
    await until(async () => (await converse(both, "ping ")) === "hello ping bye");
  });

  test("A service that stands here and elsewhere is reached elsewhere when nobody takes connections here", async () => {
    const [local] = here("both", "tcp://127.0.0.1:9").paths;
    assert.ok(local);
    const elsewhere = { to: "node", nextHop: hopTo(n3, "n3") } as const;
    await n1.apply({ put: [{ name: "both", protocol: "tcp", paths: [local, elsewhere] }] });
    assert.equal(await converse(both, "ping "), "other ping bye");
  });

  test("What Envoy has in force for a TCP service can be seen, here and elsewhere", async () => {
    const admin = readAdmin(join(n1.folder, "admin.sock"));
    const clusters = new MeshTranslation(n1.mesh);
    const [local] = here("both", "tcp://127.0.0.1:9").paths;
    assert.ok(local);
    const both = { ...at("both", hopTo(n3, "n3")), paths: [local, ...at("both", hopTo(n3, "n3")).paths] };
    clusters.commit(clusters.plan({ put: [both] }));
    const { routed, endpoints } = await admin.view(`both.${domain}`, clusters.clustersOf("both"));
    const addresses = endpoints.map(({ address }) => address).sort();
    assert.deepEqual(addresses, ["127.0.0.1:9", `127.0.0.1:${n3.mesh.listen.mesh?.port}`].sort());
    assert.equal(routed, true);
  });

  test("Connections of one service live on while others come, change and go: nothing of theirs is another one", async () => {
    const socket = dial(pg);
    await once(socket, "readable");
    socket.resume();
    const changes = [
      { put: [here("new", other.url)] },
      { put: [here("new", service.url)] },
      { remove: ["new"] },
    ];
    for (const change of changes) {
      const { upsert, remove } = n2.translate(change);
      assert.deepEqual(
        [...upsert, ...remove].filter(({ name }) => !name.includes(`new.${domain}`)),
        [],
      );
      await n2.apply(change);
      await n1.apply({ put: [at("gone", hopTo(n2, "n2"))] });
      await n1.apply({ remove: ["gone"] });
    }
    socket.write("still");
    const [said] = await once(socket, "data");
    assert.equal(String(said), "still");
    socket.destroy();
  });

  test("A service has the nodes of its own organisation, and others by its rules", async () => {
    const peer = await createTestOrganisation("peer.example");
    const trust = { roots: [acme.root, peer.root], pinned: [], denied: [] };
    n2.xds.update(defaultKey, { upsert: compileNodeTrust(trust, domain) });
    const shown = { ...(await peer.issue("n7", "envoy")), servername: `pg.${domain}` };
    const before = service.accepted();
    assert.equal(await knock(n2, shown), "");
    assert.equal(service.accepted(), before);
    const ids = ["spiffe://peer[.]example/node/n7/envoy"];
    const rules = [{ name: "for a peer", allows: true, ids }];
    await n2.apply({ put: [{ ...here("pg", service.url), rules }] });
    assert.equal(await knock(n2, shown), "hello ");
    await n2.apply({ put: [here("pg", service.url)] });
  });

  test("Nobody reaches by TCP what is no TCP service, or without a node's certificate", async () => {
    await n2.apply({
      put: [
        {
          name: "web",
          paths: [
            {
              to: "here",
              service: {
                name: "web",
                protocol: "http",
                url: service.url.replace("tcp", "http"),
                timeoutMs: 1_000,
              },
            },
          ],
        },
      ],
    });
    const before = service.accepted();
    const node = await acme.issue("n1", "envoy");
    for (const servername of [`web.${domain}`, `graphql.${domain}`, "auth", "tcp", "nowhere", domain])
      assert.equal(await knock(n2, { ...node, servername }), "", servername);
    const stranger = await (await createTestOrganisation("evil.example")).issue("n1", "envoy");
    const gateway = await acme.issue("n1", "gateway");
    for (const shown of [{}, stranger, gateway])
      assert.equal(await knock(n2, { ...shown, servername: `pg.${domain}` }), "");
    assert.equal(service.accepted(), before);
    assert.equal(await knock(n2, { ...node, servername: `pg.${domain}` }), "hello ");
  });

  test("Who shows a certificate of several nodes hears nothing, whichever of them stands first", async () => {
    const envoyOf = (node: string) => ({ domain, node, process: "envoy" });
    const before = service.accepted();
    for (const nodes of [
      ["n1", "n3"],
      ["n3", "n1"],
    ]) {
      const shown = await issueForSeveral(acme.rootAuthority, nodes.map(envoyOf));
      assert.equal(await knock(n2, { ...shown, servername: `pg.${domain}` }), "", nodes.join());
    }
    assert.equal(service.accepted(), before);
  });

  test("Who was revoked hears nothing of a service, a node and a certificate, also where thousands were", async () => {
    const trust = { roots: [acme.root], pinned: [], denied: [] };
    const node = await acme.issue("n1", "envoy");
    const serial = new X509Certificate(node.cert).serialNumber.toLowerCase();
    const many = Array.from({ length: 3_000 }, (_, index) => ({
      domain,
      node: `other-${index}`,
      serial: null,
    }));
    const alsoSerials = many.map((each, index) => ({ ...each, serial: index.toString(16) }));
    const before = service.accepted();
    const tell = async (denied: NodeTrust["denied"]) => {
      n2.xds.update(defaultKey, { upsert: compileNodeTrust({ ...trust, denied }, domain) });
      await n2.xds.settled(defaultKey, { timeoutMs: 5_000 });
      assert.deepEqual(n2.xds.quarantined(), []);
      return await knock(n2, { ...node, servername: `pg.${domain}` });
    };
    for (const denied of [
      { domain, node: "n1", serial: null },
      { domain, node: "n1", serial },
    ])
      assert.equal(await tell([...many, denied, ...alsoSerials]), "");
    assert.equal(service.accepted(), before);
    assert.equal(
      await tell([...many, { domain, node: "n1", serial: "0" }]),
      "hello ",
      "another certificate is good",
    );
    assert.equal(await tell([]), "hello ");
  });
});

/** Whether nothing listens on a port of loopback. */
async function refuses(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

type Shown = { readonly cert?: string; readonly key?: string; readonly servername: string };

/** What somebody who connects to a node as another node's Envoy does hears of a service before it says anything. */
async function knock(envoy: EnvoyUnderTest, shown: Shown): Promise<string> {
  const { host = "", port = 0 } = envoy.mesh.listen.mesh ?? {};
  const socket = connectTls({
    host,
    port,
    ALPNProtocols: ["catalyst-tcp"],
    rejectUnauthorized: false,
    ...shown,
  });
  const heard = Promise.withResolvers<string>();
  socket.once("data", (bytes) => heard.resolve(String(bytes)));
  socket.on("error", () => heard.resolve("")).on("close", () => heard.resolve(""));
  try {
    return await heard.promise;
  } finally {
    socket.destroy();
  }
}
