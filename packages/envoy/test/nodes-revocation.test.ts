import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { freePorts } from "@catalyst/harness/free-ports";
import { createTestOrganisation, type TestOrganisation } from "@catalyst/identity/testing";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { defaultKey } from "@catalyst/xds";
import { compileMeshListener } from "../src/mesh-listener.ts";
import { compileNodeTrust } from "../src/node-access.ts";
import { nodeHealthPath } from "../src/node-cluster.ts";
import type { NodeDoors } from "../src/node-doors.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import type { NextHop, ReachableService } from "../src/reachable.ts";
import { compileWayOut } from "../src/way-out.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { converse, dial, startTcpService, type TcpService } from "./tcp-service.ts";
import { ask, startUpstream, type Upstream } from "./upstream.ts";

/** After so long nothing is open any more behind a door that was replaced. */
const drainedMs = 3_500;

const domain = "acme.catalyst.internal";

/** What a node has open to a service of another one, by its kind; each says when it has ended. */
type Open = {
  readonly kind: string;
  readonly socket: Socket;
  readonly ended: Promise<number>;
};

function opened(kind: string, socket: Socket): Open {
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  socket.on("close", () => resolve(performance.now())).on("end", () => socket.destroy());
  return { kind, socket, ended };
}

describe("A node that is revoked", { skip: envoyMissing, concurrency: 1 }, () => {
  let acme: TestOrganisation;
  let upstream: Upstream;
  let service: TcpService;
  /** n1 is revoked by n2, which has the services; n3 is not. */
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;
  let n3: EnvoyUnderTest;
  const ports = new Map<EnvoyUnderTest, number>();
  let http: ServiceDeclaration;
  let there: ReachableService[];

  const hopTo = (envoy: EnvoyUnderTest, node: string): NextHop => ({
    host: "127.0.0.1",
    port: envoy.mesh.listen.mesh?.port ?? 0,
    sni: `${node}.${domain}`,
    spiffeId: `spiffe://${domain}/node/${node}/envoy`,
  });

  before(async () => {
    acme = await createTestOrganisation(domain);
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    service = await startTcpService("hello ");
    const start = async (node: string, port = 0) => {
      const { cert: certificate, key: privateKey } = await acme.issue(node, "envoy");
      const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
      const tcp = port === 0 ? [] : [{ name: "pg", listen: { host: "127.0.0.1", port } }];
      const extra = [compileNodeIdentity({ certificate, privateKey }), ...trust];
      const envoy = await startEnvoy({ nodes: true, mesh: { node, domain, tcp }, extra });
      ports.set(envoy, port);
      return envoy;
    };
    const [first, second] = await freePorts(2);
    [n1, n2, n3] = await Promise.all([start("n1", first), start("n2"), start("n3", second)]);
    const tcp = { name: "pg", protocol: "tcp", url: service.url, timeoutMs: 1_000 } as const;
    http = { name: "web", protocol: "http", url: upstream.origin, timeoutMs: 5_000 };
    const here = [tcp, http].map((each): ReachableService => {
      return { name: each.name, protocol: each.protocol, paths: [{ to: "here", service: each }] };
    });
    await n2.apply({ put: here });
    const nextHop = hopTo(n2, "n2");
    there = here.map((each): ReachableService => ({ ...each, paths: [{ to: "node", nextHop }] }));
    await Promise.all([n1, n3].map((envoy) => envoy.apply({ put: there })));
  });
  after(async () => {
    await Promise.all([n1, n2, n3].map((envoy) => envoy?.[Symbol.asyncDispose]()));
    await Promise.all([service, upstream].map((each) => each?.[Symbol.asyncDispose]()));
  });

  const host = `web.${domain}`;
  const tell = async ({ known, denied }: NodeDoors) => {
    const listener = compileMeshListener(n2.mesh, { known, denied });
    assert.ok(listener);
    const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied }, domain);
    n2.xds.update(defaultKey, { upsert: [...trust, listener] });
    await n2.xds.settled(defaultKey, { timeoutMs: 5_000 });
    assert.deepEqual(n2.xds.quarantined(), []);
  };

  /** One of each kind, which has said something already. */
  const openAll = async (envoy: EnvoyUnderTest): Promise<Open[]> => {
    const { port } = envoy.mesh.listen.egress;
    const request = (path: string, more = "") => {
      const socket = connect({ host: "127.0.0.1", port }).on("error", () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${more}\r\n`);
      return socket;
    };
    const upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
    const all = [
      opened("stream", request("/endless")),
      opened("WebSocket", request("/ws", upgrade)),
      opened("TCP", dial(ports.get(envoy) ?? 0)),
    ];
    await Promise.all(all.map(({ socket }) => once(socket, "data")));
    for (const { socket } of all) socket.resume();
    return all;
  };

  /** A connection of n1 that looks at nothing, as its Envoy does whom n2's health would tell. */
  const openBare = async (): Promise<Open> => {
    const at = n2.mesh.listen.mesh ?? { host: "", port: 0 };
    const shown = {
      ...(await acme.issue("n1", "envoy")),
      servername: `pg.${domain}`,
      rejectUnauthorized: false,
    };
    const socket = connectTls({
      ...at,
      ...shown,
      ALPNProtocols: [`catalyst-tcp/n1.${domain}`, "catalyst-tcp"],
    });
    await once(
      socket.on("error", () => undefined),
      "data",
    );
    return opened("TCP, not by Envoy", socket.resume());
  };

  /** Requests of a node one after another until they are asked to end; how many failed. */
  const load = (envoy: EnvoyUnderTest, ending: AbortSignal) => {
    const run = async () => {
      const counted = { requests: 0, failed: 0 };
      while (!ending.aborted) {
        const { status } = await ask(envoy.mesh.listen.egress.port, { host }).catch(() => ({ status: 0 }));
        counted.requests++;
        if (status !== 200) counted.failed++;
        await sleep(2);
      }
      return counted;
    };
    return run();
  };

  /** Revokes n1 under load of n3; how long each of its connections lived on. Gives those of n3. */
  const revoke = async (context: TestContext, known: readonly string[]) => {
    await tell({ known, denied: [] });
    await sleep(drainedMs); // what was open goes over to the doors that there are now
    await until(async () => (await ask(n1.mesh.listen.egress.port, { host })).status === 200, 10_000);
    await until(async () => (await converse(ports.get(n1) ?? 0, "x")) !== null, 10_000);
    const [mine, others] = await Promise.all([openAll(n1), openAll(n3)]);
    mine.push(await openBare());
    const ending = new AbortController();
    const loaded = load(n3, ending.signal);
    const begun = performance.now();
    await tell({ known, denied: [{ domain, node: "n1", serial: null }] });
    await until(async () => (await ask(n1.mesh.listen.egress.port, { host })).status !== 200, 1_000);
    await until(async () => (await converse(ports.get(n1) ?? 0, "x")) === null, 1_000);
    const refusedMs = performance.now() - begun;
    for (const { kind, ended } of mine) {
      const tookMs = (await ended) - begun;
      context.diagnostic(`${kind}: ended ${Math.round(tookMs)} ms after the node was revoked`);
      assert.ok(tookMs <= 5_000, `${kind}: ${tookMs} ms`);
    }
    ending.abort();
    const { requests, failed } = await loaded;
    context.diagnostic(`new ones: refused after ${Math.round(refusedMs)} ms`);
    context.diagnostic(`another node meanwhile: ${failed} of ${requests} requests failed`);
    assert.ok(refusedMs < 1_000);
    assert.equal(failed, 0);
    return others;
  };

  test("loses what it has open within 5 s, and no request of another node fails meanwhile", async (context) => {
    const sharing = await revoke(context, []);
    const open = () => sharing.filter(({ socket }) => !socket.closed).map(({ kind }) => kind);
    // Those that share its door begin anew.
    await until(() => open().length === 0, drainedMs);
  });

  test("is the only one that loses anything where the others are known", async (context) => {
    const others = await revoke(context, [`n1.${domain}`, `n3.${domain}`]);
    const alive = others.filter(({ socket }) => !socket.closed).map(({ kind }) => kind);
    assert.deepEqual(alive, ["stream", "WebSocket", "TCP"]);
    for (const { socket } of others) socket.destroy();
  });

  test("Connections go on while nodes become known, and are forgotten", async () => {
    await tell({ known: [`n3.${domain}`], denied: [] });
    await sleep(drainedMs);
    const all = await openAll(n3);
    await tell({ known: [`n1.${domain}`, `n3.${domain}`], denied: [] });
    await tell({ known: [`n3.${domain}`], denied: [] });
    await sleep(drainedMs);
    assert.deepEqual(
      all.filter(({ socket }) => socket.closed),
      [],
    );
    for (const { socket } of all) socket.destroy();
  });

  test("loses what others have open to it within 5 s, and none of what they have open elsewhere", async (context) => {
    const other = {
      ...there[1],
      name: "elsewhere",
      paths: [{ to: "node", nextHop: hopTo(n3, "n3") }],
    } as const;
    await n3.apply({
      put: [{ name: "elsewhere", paths: [{ to: "here", service: { ...http, name: "elsewhere" } }] }],
    });
    await n1.apply({ put: [other] });
    const known = [`n2.${domain}`, `n3.${domain}`];
    const say = async (denied: NodeDoors["denied"]) => {
      const wayOut = compileWayOut(n1.mesh, { known, denied });
      assert.ok(wayOut);
      n1.xds.update(defaultKey, { upsert: [wayOut] });
      await n1.xds.settled(defaultKey, { timeoutMs: 5_000 });
      assert.deepEqual(n1.xds.quarantined(), []);
    };
    await say([]);
    await sleep(drainedMs);
    const stream = async (name: string) => {
      const socket = connect({ host: "127.0.0.1", port: n1.mesh.listen.egress.port }).on(
        "error",
        () => undefined,
      );
      socket.write(`GET /endless HTTP/1.1\r\nhost: ${name}.${domain}\r\n\r\n`);
      await once(socket, "data");
      return opened(name, socket.resume());
    };
    const [revoked, spared] = [await stream("web"), await stream("elsewhere")];
    const begun = performance.now();
    await say([{ domain, node: "n2", serial: null }]);
    const tookMs = (await Promise.race([revoked.ended, sleep(10_000, Number.POSITIVE_INFINITY)])) - begun;
    context.diagnostic(`ended ${Math.round(tookMs)} ms after the node was revoked`);
    assert.ok(tookMs <= 5_000, `${tookMs} ms`);
    assert.equal((await ask(n1.mesh.listen.egress.port, { host })).status, 503);
    await sleep(500);
    assert.equal(spared.socket.closed, false);
    spared.socket.destroy();
  });

  test("Nobody comes in by the door of another node", async () => {
    // Envoy has acknowledged the doors a moment before they are there.
    await tell({ known: [`n3.${domain}`], denied: [] });
    await sleep(500);
    const shown = { ...(await acme.issue("n1", "envoy")), rejectUnauthorized: false };
    const at = n2.mesh.listen.mesh ?? { host: "", port: 0 };
    const asked = async (node: string) => {
      const socket = connectTls({ ...at, ...shown, ALPNProtocols: [`h2/${node}.${domain}`, "h2"] });
      await once(socket, "secureConnect");
      const session = connectHttp2(`https://n2.${domain}`, { createConnection: () => socket });
      session.on("error", () => undefined);
      const request = session.request({ ":path": nodeHealthPath }).on("error", () => undefined);
      const status = await Promise.race([
        once(request, "response").then(([headers]) => headers[":status"]),
        once(session, "close").then(() => null),
      ]);
      session.destroy();
      return status;
    };
    const heard = async (node: string) => {
      const ALPNProtocols = [`catalyst-tcp/${node}.${domain}`, "catalyst-tcp"];
      const socket = connectTls({ ...at, ...shown, servername: `pg.${domain}`, ALPNProtocols });
      const said = once(
        socket.on("error", () => undefined),
        "data",
      ).then(([bytes]) => String(bytes));
      const text = await Promise.race([said.catch(() => null), once(socket, "close").then(() => null)]);
      socket.destroy();
      return text;
    };
    assert.deepEqual([await asked("n1"), await heard("n1")], [200, "hello "]);
    assert.deepEqual([await asked("n3"), await heard("n3")], [null, null]);
  });
});
