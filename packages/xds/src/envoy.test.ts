import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { certificates } from "../test/certificates.ts";
import { type Envoy, envoyMissing, get, startEnvoy, until } from "../test/envoy.ts";
import {
  answeringHeader,
  cluster,
  endpoints,
  filteredListener,
  listener,
  referringScope,
  routeConfiguration,
  scope,
  secret,
  tlsListener,
} from "../test/resources.ts";
import { base, story, withSite } from "../test/site.ts";
import { openSnapshotJournal, readSnapshot } from "./journal.ts";
import { defaultKey } from "./options.ts";
import { createXdsServer } from "./server.ts";
import { Snapshot } from "./snapshot.ts";

for (const protocol of ["delta", "sotw"] as const) {
  const options = { skip: envoyMissing };

  test(`Envoy is made and broken in order over ${protocol}`, options, () =>
    withSite(async (site) => {
      await using server = await site.start();
      server.set(defaultKey, new Snapshot(base(site)));
      await using envoy = await startEnvoy(site.folder, "n1", protocol);
      await until(async () => (await site.status("a.test")) === 200);
      assert.deepEqual(story(site.acknowledged), [
        "Cluster +a",
        "ClusterLoadAssignment +a",
        "Listener +in",
        "ScopedRouteConfiguration +a.test",
      ]);

      site.acknowledged.length = 0;
      const b = [cluster("b"), endpoints("b", site.socket("b")), scope("b.test", "b")];
      server.update(defaultKey, { upsert: b });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.equal(await site.status("b.test"), 200);
      assert.deepEqual(story(site.acknowledged), [
        "Cluster +b",
        "ClusterLoadAssignment +b",
        "ScopedRouteConfiguration +b.test",
      ]);

      site.acknowledged.length = 0;
      server.update(defaultKey, { remove: b });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.equal(await site.status("b.test"), 404);
      const removed = story(site.acknowledged);
      assert.equal(removed[0], "ScopedRouteConfiguration -b.test");
      assert.equal(removed.includes("Cluster -b"), true);
      assert.equal(await envoy.stat("cluster_manager.cluster_removed"), 1);
    }),
  );

  test(
    `Envoy listens although it refuses the cluster of routes that a scope names, over ${protocol}`,
    options,
    () =>
      withSite(async (site) => {
        await using server = await site.start();
        const refused = [
          cluster("bad", -1),
          endpoints("bad", site.socket("b")),
          routeConfiguration("r", "bad"),
        ];
        server.set(defaultKey, new Snapshot([...base(site), ...refused, referringScope("bad.test", "r")]));
        await using _ = await startEnvoy(site.folder, "n1", protocol);
        await until(async () => (await site.status("a.test")) === 200);
        assert.equal(await site.status("bad.test"), 404);
        server.update(defaultKey, { upsert: [cluster("bad")] });
        await until(async () => (await site.status("bad.test")) === 200);
      }),
  );

  test(`an updated cluster is warm at once, because its endpoints follow it over ${protocol}`, options, () =>
    withSite(async (site) => {
      await using server = await site.start();
      server.set(defaultKey, new Snapshot(base(site)));
      await using envoy = await startEnvoy(site.folder, "n1", protocol);
      await until(async () => (await site.status("a.test")) === 200);
      site.acknowledged.length = 0;
      server.update(defaultKey, { upsert: [cluster("a", 1_500)] });
      assert.equal((await server.settled(defaultKey)).complete, true);
      assert.deepEqual(story(site.acknowledged), ["Cluster +a", "ClusterLoadAssignment +a"]);
      await until(async () => (await envoy.stat("cluster_manager.warming_clusters")) === 0, 1_000);
      assert.equal(await site.status("a.test"), 200);
    }),
  );

  test(
    `routes by RDS come after their listener and before nothing that they need over ${protocol}`,
    options,
    () =>
      withSite(async (site) => {
        await using server = await site.start();
        const routed = [cluster("a"), endpoints("a", site.socket("a")), routeConfiguration("r", "a")];
        server.set(defaultKey, new Snapshot([...routed, listener("in", site.socket("in"), "r")]));
        await using _ = await startEnvoy(site.folder, "n1", protocol);
        await until(async () => (await site.status("any")) === 200);
        site.acknowledged.length = 0;
        server.update(defaultKey, {
          upsert: [cluster("b"), endpoints("b", site.socket("b")), routeConfiguration("r", "b")],
          remove: [cluster("a"), endpoints("a", 1)],
        });
        assert.equal((await server.settled(defaultKey)).complete, true);
        const steps = story(site.acknowledged);
        assert.deepEqual(steps.slice(0, 3), [
          "Cluster +b",
          "ClusterLoadAssignment +b",
          "RouteConfiguration +r",
        ]);
        assert.equal(steps.includes("Cluster -a"), true);
        assert.equal((await get(site.socket("in"), "/", "any")).body, "b");
      }),
  );

  test(
    `a filter by ECDS is there before its listener serves, and changes without it over ${protocol}`,
    options,
    () =>
      withSite(async (site) => {
        await using server = await site.start();
        const [first, second] = ["first", "second"].map((value) =>
          answeringHeader("marked", "x-mark", value),
        );
        assert.ok(first && second);
        const backend = [cluster("a"), endpoints("a", site.socket("a")), scope("a.test", "a")];
        const filtered = filteredListener("in", site.socket("in"), "marked");
        server.set(defaultKey, new Snapshot([...backend, filtered, first]));
        await using _ = await startEnvoy(site.folder, "n1", protocol);
        const mark = async () => (await get(site.socket("in"), "/", "a.test")).headers["x-mark"];
        await until(async () => (await site.status("a.test")) !== 0);
        assert.equal(await mark(), "first");
        assert.throws(() => server.update(defaultKey, { remove: [first] }), { code: "reference_missing" });
        site.acknowledged.length = 0;
        server.update(defaultKey, { upsert: [second] });
        assert.equal((await server.settled(defaultKey)).complete, true);
        assert.deepEqual(story(site.acknowledged), ["TypedExtensionConfig +marked"]);
        await until(async () => (await mark()) === "second", 1_000);
      }),
  );
}

test(
  "Envoy reconnects to a server that was killed and receives differences only",
  { skip: envoyMissing },
  () =>
    withSite(async (site) => {
      const many = Array.from({ length: 50 }, (_, at) => [
        cluster(`c${at}`),
        endpoints(`c${at}`, site.socket("a")),
        scope(`c${at}.test`, `c${at}`),
      ]).flat();
      const first = await site.start();
      first.set(defaultKey, new Snapshot([...base(site), ...many]));
      await using envoy = await startEnvoy(site.folder, "n1", "delta");
      await until(async () => (await site.status("c49.test")) === 200);
      const before = await resourcesReceived(envoy);
      await first.close();
      assert.equal(await site.status("c49.test"), 200, "it serves without a control plane");

      await using second = await site.start();
      await until(() => second.proxies()[0]?.types.length === 4, 10_000);
      assert.equal((await second.settled(defaultKey)).complete, true);
      assert.equal(await site.status("c49.test"), 200, "nothing is taken away before something is published");
      second.set(
        defaultKey,
        new Snapshot([...base(site), ...many, scope("new.test", "a"), cluster("c0", 1_700)]),
      );
      assert.equal((await second.settled(defaultKey)).complete, true);
      assert.equal(await site.status("new.test"), 200);
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
  withSite(async (site) => {
    const [old, fresh] = certificates;
    await using server = await site.start();
    const start = [cluster("a"), endpoints("a", site.socket("a")), scope("localhost", "a")];
    const tls = [tlsListener("tls", site.socket("tls"), "certificate"), secret("certificate", old)];
    server.set(defaultKey, new Snapshot([...start, ...tls]));
    await using _ = await startEnvoy(site.folder, "n1", "delta");
    await until(async () => (await commonName(site.socket("tls"))) === old.commonName);
    const kept = connect({ path: site.socket("tls"), rejectUnauthorized: false });
    await once(kept, "secureConnect");
    server.update(defaultKey, { upsert: [secret("certificate", fresh)] });
    assert.equal((await server.settled(defaultKey)).complete, true);
    await until(async () => (await commonName(site.socket("tls"))) === fresh.commonName, 1_000);
    kept.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const [answer] = await once(kept, "data");
    assert.match(String(answer), /^HTTP\/1.1 200 OK/);
    kept.destroy();
    const acknowledged = story(site.acknowledged);
    assert.deepEqual(acknowledged.slice(-1), ["Secret +certificate"]);
  }),
);

test(
  "an Envoy that starts while the control plane is away is served from the journal, rejected content left out",
  {
    skip: envoyMissing,
  },
  () =>
    withSite(async (site) => {
      const path = join(site.folder, "last-good");
      {
        await using journal = await openSnapshotJournal(path);
        await using server = await createXdsServer({
          listen: [`unix:${site.socket("xds")}`],
          events: { onAcknowledged: (_, event) => journal.record(event) },
        });
        server.set(
          defaultKey,
          new Snapshot([...base(site), cluster("z"), endpoints("z", 1), scope("z.test", "z")]),
        );
        await using _ = await startEnvoy(site.folder, "n1", "delta");
        await until(async () => (await site.status("a.test")) === 200);
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
      await using replay = await site.start();
      replay.set(defaultKey, snapshot);
      await using _ = await startEnvoy(site.folder, "n1", "delta");
      await until(async () => (await site.status("a.test")) === 200);
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
