import assert from "node:assert/strict";
import { test } from "node:test";
import { type Envoy, envoyMissing, get, startEnvoy, until } from "../test/envoy.ts";
import {
  cluster,
  endpoints,
  listener,
  routeConfiguration,
  scope,
  secret,
  tlsListener,
} from "../test/resources.ts";
import { base, short, withSite } from "../test/site.ts";
import { defaultKey } from "./options.ts";
import { clusterType, scopedRouteType } from "./references.ts";
import { Snapshot } from "./snapshot.ts";

for (const protocol of ["delta", "sotw"] as const) {
  const options = { skip: envoyMissing };

  test(
    `a rejected cluster is quarantined with what names it, and all else arrives over ${protocol}`,
    options,
    () =>
      withSite(async (site) => {
        await using server = await site.start();
        server.set(defaultKey, new Snapshot(base(site)));
        await using envoy = await startEnvoy(site.folder, "n1", protocol);
        await until(async () => (await site.status("a.test")) === 200);
        const names = ["b", "bad", "c", "d", "e"];
        server.update(defaultKey, {
          upsert: names.flatMap((name) => [
            cluster(name, name === "bad" ? -5 : 1_000),
            endpoints(name, site.socket("b")),
            scope(`${name}.test`, name),
          ]),
        });
        const settlement = await server.settled(defaultKey);
        assert.equal(settlement.complete, true);
        assert.deepEqual(
          settlement.quarantined.map(({ type, name, serving }) => ({ type, name, serving })),
          [{ type: clusterType, name: "bad", serving: null }],
        );
        for (const name of ["b", "c", "d", "e"]) assert.equal(await site.status(`${name}.test`), 200, name);
        assert.equal(await site.status("bad.test"), 404);
        const scopes = server.proxies()[0]?.types.find(({ type }) => type === scopedRouteType);
        assert.deepEqual(scopes?.blocked, ["bad.test"]);

        const before = await updatesRejected(envoy);
        server.update(defaultKey, { upsert: [scope("b.test", "a")] });
        await server.settled(defaultKey);
        assert.equal(await updatesRejected(envoy), before, "the bad one is not sent again");

        server.update(defaultKey, { upsert: [cluster("bad")] });
        await server.settled(defaultKey);
        assert.deepEqual(server.quarantined(), []);
        assert.equal(await site.status("bad.test"), 200);
      }),
  );

  test(`a rejected update leaves the last acknowledged version in use over ${protocol}`, options, () =>
    withSite(async (site) => {
      await using server = await site.start();
      server.set(defaultKey, new Snapshot(base(site)));
      await using _ = await startEnvoy(site.folder, "n1", protocol);
      await until(async () => (await site.status("a.test")) === 200);
      server.update(defaultKey, { upsert: [cluster("a", -5)] });
      const { quarantined } = await server.settled(defaultKey);
      assert.equal(quarantined[0]?.serving, cluster("a").version);
      assert.match(quarantined[0]?.message ?? "", /duration/);
      server.update(defaultKey, { upsert: [scope("z.test", "a")] });
      await server.settled(defaultKey);
      assert.equal(await site.status("z.test"), 200);
    }),
  );

  test(
    `a proxy that starts after a rejection gets the last acknowledged version over ${protocol}`,
    options,
    () =>
      withSite(async (site) => {
        await using server = await site.start();
        server.set(defaultKey, new Snapshot(base(site)));
        await using first = await startEnvoy(site.folder, "n1", protocol);
        await until(async () => (await site.status("a.test")) === 200);
        server.update(defaultKey, { upsert: [cluster("a", -5)] });
        await server.settled(defaultKey);
        await first.kill("SIGKILL");
        await using _ = await startEnvoy(site.folder, "n2", protocol);
        await until(async () => (await site.status("a.test")) === 200);
        assert.equal(server.quarantined()[0]?.serving, cluster("a").version);
      }),
  );

  test(`a bad resource of any type is the only one that does not arrive over ${protocol}`, options, () =>
    withSite(async (site) => {
      await using server = await site.start();
      server.set(defaultKey, new Snapshot(base(site)));
      await using _ = await startEnvoy(site.folder, "n1", protocol);
      await until(async () => (await site.status("a.test")) === 200);
      const names = ["b", "c", "d"];
      const good = names.flatMap((name) => [
        cluster(name),
        endpoints(name, site.socket("b")),
        scope(`${name}.test`, name),
        listener(`in-${name}`, site.socket(`in-${name}`), `r-${name}`),
        routeConfiguration(`r-${name}`, name),
      ]);
      const bad = [
        cluster("bad-endpoints"),
        endpoints("bad-endpoints", 70_000),
        scope("a.test", "a", "bad-scope"),
        listener("bad-listener", ""),
        listener("in-r", site.socket("in-r"), "bad-routes"),
        routeConfiguration("bad-routes", ""),
        tlsListener("tls", site.socket("tls"), "bad-secret"),
        secret("bad-secret", { chain: "no", key: "no" }),
      ];
      server.update(defaultKey, { upsert: [...good, ...bad] });
      const { complete, quarantined } = await server.settled(defaultKey);
      assert.equal(complete, true);
      assert.deepEqual(quarantined.map(({ type, name }) => `${short(type)} ${name}`).sort(), [
        "ClusterLoadAssignment bad-endpoints",
        "Listener bad-listener",
        "RouteConfiguration bad-routes",
        "ScopedRouteConfiguration bad-scope",
        "Secret bad-secret",
      ]);
      for (const name of names) {
        assert.equal(await site.status(`${name}.test`), 200, name);
        assert.equal((await get(site.socket(`in-${name}`), "/", "any")).status, 200, name);
      }
    }),
  );
}

async function updatesRejected(envoy: Envoy): Promise<number> {
  return envoy.stat("cluster_manager.cds.update_rejected");
}
