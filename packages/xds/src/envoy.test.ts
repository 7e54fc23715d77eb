import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { certificates } from "../test/certificates.ts";
import {
  type Envoy,
  envoyMissing,
  get,
  removeFolder,
  startEnvoy,
  temporaryFolder,
  until,
} from "../test/envoy.ts";
import {
  cluster,
  endpoints,
  listener,
  routeConfiguration,
  scope,
  secret,
  tlsListener,
} from "../test/resources.ts";
import type { AcknowledgedEvent, RejectedEvent } from "./events.ts";
import { openSnapshotJournal, readSnapshot } from "./journal.ts";
import { defaultKey } from "./options.ts";
import { clusterType, scopedRouteType } from "./references.ts";
import { createXdsServer, type XdsServer } from "./server.ts";
import { Snapshot } from "./snapshot.ts";

type Bench = {
  readonly folder: string;
  readonly socket: (name: string) => string;
  readonly acknowledged: AcknowledgedEvent[];
  readonly rejected: RejectedEvent[];
  readonly start: () => Promise<XdsServer>;
  readonly status: (host: string, path?: string) => Promise<number>;
};

/** A folder with two backends, and servers on one socket that note what Envoy says. */
async function withBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const socket = (name: string) => join(folder, `${name}.sock`);
  const backends = ["a", "b"].map((name) => createServer((_, out) => out.end(name)).listen(socket(name)));
  const acknowledged: AcknowledgedEvent[] = [];
  const rejected: RejectedEvent[] = [];
  const start = () =>
    createXdsServer({
      listen: [`unix:${socket("xds")}`],
      events: {
        onAcknowledged: (_, event) => acknowledged.push(event),
        onRejected: (_, event) => rejected.push(event),
      },
    });
  const status = async (host: string) => (await get(socket("in"), "/", host)).status;
  try {
    await run({ folder, socket, acknowledged, rejected, start, status });
  } finally {
    for (const backend of backends) backend.close();
    removeFolder(folder);
  }
}

const base = (bench: Bench) => [
  cluster("a"),
  endpoints("a", bench.socket("a")),
  scope("a.test", "a"),
  listener("in", bench.socket("in")),
];

const short = (type: string) => type.slice(type.lastIndexOf(".") + 1);
const story = (events: readonly AcknowledgedEvent[]) =>
  events.map(({ type, upsert, removed }) => {
    const names = [...upsert.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
    return `${short(type)} ${names.join(" ")}`;
  });

for (const protocol of ["delta", "sotw"] as const) {
  const options = { skip: envoyMissing };

  test(`Envoy is made and broken in order over ${protocol}`, options, () =>
    withBench(async (bench) => {
      await using server = await bench.start();
      server.set(defaultKey, new Snapshot(base(bench)));
      await using envoy = await startEnvoy(bench.folder, "n1", protocol);
      await until(async () => (await bench.status("a.test")) === 200);
      assert.deepEqual(story(bench.acknowledged), [
        "Cluster +a",
        "ClusterLoadAssignment +a",
        "Listener +in",
        "ScopedRouteConfiguration +a.test",
      ]);

      bench.acknowledged.length = 0;
      const b = [cluster("b"), endpoints("b", bench.socket("b")), scope("b.test", "b")];
      server.update(defaultKey, { upsert: b });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.equal(await bench.status("b.test"), 200);
      assert.deepEqual(story(bench.acknowledged), [
        "Cluster +b",
        "ClusterLoadAssignment +b",
        "ScopedRouteConfiguration +b.test",
      ]);

      bench.acknowledged.length = 0;
      server.update(defaultKey, { remove: b });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.equal(await bench.status("b.test"), 404);
      const removed = story(bench.acknowledged);
      assert.equal(removed[0], "ScopedRouteConfiguration -b.test");
      assert.equal(removed.includes("Cluster -b"), true);
      assert.equal(await envoy.stat("cluster_manager.cluster_removed"), 1);
    }),
  );

  test(`an updated cluster is warm at once, because its endpoints follow it over ${protocol}`, options, () =>
    withBench(async (bench) => {
      await using server = await bench.start();
      server.set(defaultKey, new Snapshot(base(bench)));
      await using envoy = await startEnvoy(bench.folder, "n1", protocol);
      await until(async () => (await bench.status("a.test")) === 200);
      bench.acknowledged.length = 0;
      server.update(defaultKey, { upsert: [cluster("a", 1_500)] });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.deepEqual(story(bench.acknowledged), ["Cluster +a", "ClusterLoadAssignment +a"]);
      await until(async () => (await envoy.stat("cluster_manager.warming_clusters")) === 0, 1_000);
      assert.equal(await bench.status("a.test"), 200);
    }),
  );

  test(
    `a rejected cluster is quarantined with what names it, and all else arrives over ${protocol}`,
    options,
    () =>
      withBench(async (bench) => {
        await using server = await bench.start();
        server.set(defaultKey, new Snapshot(base(bench)));
        await using envoy = await startEnvoy(bench.folder, "n1", protocol);
        await until(async () => (await bench.status("a.test")) === 200);
        const names = ["b", "bad", "c", "d", "e"];
        server.update(defaultKey, {
          upsert: names.flatMap((name) => [
            cluster(name, name === "bad" ? -5 : 1_000),
            endpoints(name, bench.socket("b")),
            scope(`${name}.test`, name),
          ]),
        });
        const settlement = await server.settled(defaultKey);
        assert.equal(settlement.complete, true);
        assert.deepEqual(
          settlement.quarantined.map(({ type, name, serving }) => ({ type, name, serving })),
          [{ type: clusterType, name: "bad", serving: null }],
        );
        for (const name of ["b", "c", "d", "e"]) assert.equal(await bench.status(`${name}.test`), 200, name);
        assert.equal(await bench.status("bad.test"), 404);
        const scopes = server.proxies()[0]?.types.find(({ type }) => type === scopedRouteType);
        assert.deepEqual(scopes?.blocked, ["bad.test"]);

        const before = await updatesRejected(envoy);
        server.update(defaultKey, { upsert: [scope("b.test", "a")] });
        await server.settled(defaultKey);
        assert.equal(await updatesRejected(envoy), before, "the bad one is not sent again");

        server.update(defaultKey, { upsert: [cluster("bad")] });
        await server.settled(defaultKey);
        assert.deepEqual(server.quarantined(), []);
        assert.equal(await bench.status("bad.test"), 200);
      }),
  );

  test(`a rejected update leaves the last acknowledged version in use over ${protocol}`, options, () =>
    withBench(async (bench) => {
      await using server = await bench.start();
      server.set(defaultKey, new Snapshot(base(bench)));
      await using _ = await startEnvoy(bench.folder, "n1", protocol);
      await until(async () => (await bench.status("a.test")) === 200);
      server.update(defaultKey, { upsert: [cluster("a", -5)] });
      const { quarantined } = await server.settled(defaultKey);
      assert.equal(quarantined[0]?.serving, cluster("a").version);
      assert.match(quarantined[0]?.message ?? "", /duration/);
      server.update(defaultKey, { upsert: [scope("z.test", "a")] });
      await server.settled(defaultKey);
      assert.equal(await bench.status("z.test"), 200);
    }),
  );

  test(
    `a proxy that starts after a rejection gets the last acknowledged version over ${protocol}`,
    options,
    () =>
      withBench(async (bench) => {
        await using server = await bench.start();
        server.set(defaultKey, new Snapshot(base(bench)));
        await using first = await startEnvoy(bench.folder, "n1", protocol);
        await until(async () => (await bench.status("a.test")) === 200);
        server.update(defaultKey, { upsert: [cluster("a", -5)] });
        await server.settled(defaultKey);
        await first.kill("SIGKILL");
        await using _ = await startEnvoy(bench.folder, "n2", protocol);
        await until(async () => (await bench.status("a.test")) === 200);
        assert.equal(server.quarantined()[0]?.serving, cluster("a").version);
      }),
  );

  test(
    `routes by RDS come after their listener and before nothing that they need over ${protocol}`,
    options,
    () =>
      withBench(async (bench) => {
        await using server = await bench.start();
        const routed = [cluster("a"), endpoints("a", bench.socket("a")), routeConfiguration("r", "a")];
        server.set(defaultKey, new Snapshot([...routed, listener("in", bench.socket("in"), "r")]));
        await using _ = await startEnvoy(bench.folder, "n1", protocol);
        await until(async () => (await bench.status("any")) === 200);
        bench.acknowledged.length = 0;
        server.update(defaultKey, {
          upsert: [cluster("b"), endpoints("b", bench.socket("b")), routeConfiguration("r", "b")],
          remove: [cluster("a"), endpoints("a", 1)],
        });
        assert.equal((await server.settled(defaultKey)).complete, true);
        const steps = story(bench.acknowledged);
        assert.deepEqual(steps.slice(0, 3), [
          "Cluster +b",
          "ClusterLoadAssignment +b",
          "RouteConfiguration +r",
        ]);
        assert.equal(steps.includes("Cluster -a"), true);
        assert.equal((await get(bench.socket("in"), "/", "any")).body, "b");
      }),
  );
}

test(
  "Envoy reconnects to a server that was killed and receives differences only",
  { skip: envoyMissing },
  () =>
    withBench(async (bench) => {
      const many = Array.from({ length: 50 }, (_, at) => [
        cluster(`c${at}`),
        endpoints(`c${at}`, bench.socket("a")),
        scope(`c${at}.test`, `c${at}`),
      ]).flat();
      const first = await bench.start();
      first.set(defaultKey, new Snapshot([...base(bench), ...many]));
      await using envoy = await startEnvoy(bench.folder, "n1", "delta");
      await until(async () => (await bench.status("c49.test")) === 200);
      const before = await resourcesReceived(envoy);
      await first.close();
      assert.equal(await bench.status("c49.test"), 200, "it serves without a control plane");

      await using second = await bench.start();
      await until(() => second.proxies()[0]?.types.length === 4, 10_000);
      assert.equal((await second.settled(defaultKey)).complete, true);
      assert.equal(
        await bench.status("c49.test"),
        200,
        "nothing is taken away before something is published",
      );
      second.set(
        defaultKey,
        new Snapshot([...base(bench), ...many, scope("new.test", "a"), cluster("c0", 1_700)]),
      );
      assert.equal((await second.settled(defaultKey)).complete, true);
      assert.equal(await bench.status("new.test"), 200);
      assert.deepEqual(await resourcesReceived(envoy), {
        clusters: before.clusters + 1,
        warming: 0,
        scopes: before.scopes + 1,
      });
      const status = second.proxies()[0]?.types.map(({ acknowledged }) => acknowledged);
      assert.deepEqual(status, [51, 51, 1, 52]);
    }),
);

test("a certificate is rotated by SDS without a dropped connection", { skip: envoyMissing }, () =>
  withBench(async (bench) => {
    const [old, fresh] = certificates;
    await using server = await bench.start();
    const start = [cluster("a"), endpoints("a", bench.socket("a")), scope("localhost", "a")];
    const tls = [tlsListener("tls", bench.socket("tls"), "certificate"), secret("certificate", old)];
    server.set(defaultKey, new Snapshot([...start, ...tls]));
    await using _ = await startEnvoy(bench.folder, "n1", "delta");
    await until(async () => (await commonName(bench.socket("tls"))) === old.commonName);
    const kept = connect({ path: bench.socket("tls"), rejectUnauthorized: false });
    await once(kept, "secureConnect");
    server.update(defaultKey, { upsert: [secret("certificate", fresh)] });
    assert.equal((await server.settled(defaultKey)).complete, true);
    await until(async () => (await commonName(bench.socket("tls"))) === fresh.commonName, 1_000);
    kept.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const [answer] = await once(kept, "data");
    assert.match(String(answer), /^HTTP\/1.1 200 OK/);
    kept.destroy();
    const acknowledged = story(bench.acknowledged);
    assert.deepEqual(acknowledged.slice(-1), ["Secret +certificate"]);
  }),
);

test(
  "an Envoy that starts while the control plane is away is served from the journal, rejected content left out",
  {
    skip: envoyMissing,
  },
  () =>
    withBench(async (bench) => {
      const path = join(bench.folder, "last-good");
      {
        await using journal = await openSnapshotJournal(path);
        await using server = await createXdsServer({
          listen: [`unix:${bench.socket("xds")}`],
          events: { onAcknowledged: (_, event) => journal.record(event) },
        });
        server.set(
          defaultKey,
          new Snapshot([...base(bench), cluster("z"), endpoints("z", 1), scope("z.test", "z")]),
        );
        await using _ = await startEnvoy(bench.folder, "n1", "delta");
        await until(async () => (await bench.status("a.test")) === 200);
        const bad = [cluster("a", -5), cluster("b", -5), endpoints("b", 1), scope("b.test", "b")];
        server.update(defaultKey, {
          upsert: bad,
          remove: [cluster("z"), endpoints("z", 1), scope("z.test", "z")],
        });
        assert.equal((await server.settled(defaultKey)).complete, true);
        await journal.flush();
      }
      const snapshot = await readSnapshot(path);
      assert.deepEqual([...snapshot].map(({ name }) => name).sort(), ["a", "a", "a.test", "in"]);
      await using replay = await bench.start();
      replay.set(defaultKey, snapshot);
      await using _ = await startEnvoy(bench.folder, "n1", "delta");
      await until(async () => (await bench.status("a.test")) === 200);
      assert.deepEqual(replay.quarantined(), []);
    }),
);

/** Whose certificate a listener presents to a new connection. */
async function commonName(path: string): Promise<string> {
  const socket = connect({ path, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

async function updatesRejected(envoy: Envoy): Promise<number> {
  return envoy.stat("cluster_manager.cds.update_rejected");
}

/** How many clusters Envoy ever added or changed, and how many scopes it was given. */
async function resourcesReceived(envoy: Envoy) {
  return {
    clusters:
      (await envoy.stat("cluster_manager.cluster_added")) +
      (await envoy.stat("cluster_manager.cluster_modified")),
    warming: await envoy.stat("cluster_manager.warming_clusters"),
    scopes: await envoy.stat("http.test.scoped_rds.scopes.all_scopes"),
  };
}
