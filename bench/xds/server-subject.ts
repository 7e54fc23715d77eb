import { join } from "node:path";
import type { Resource } from "@catalyst/xds";
import { certificates } from "../../packages/xds/test/certificates.ts";
import { removeFolder, startEnvoy, temporaryFolder, until } from "../../packages/xds/test/envoy.ts";
import {
  answeringListener,
  cluster,
  endpoints,
  listener,
  scope,
  secret,
  tlsListener,
} from "../../packages/xds/test/resources.ts";
import { Client, presented } from "./probe.ts";
import { type Sample, type Subject, services } from "./subject.ts";
import { type Launch, type System, startSystem } from "./system.ts";

const chunk = 500;

/** An xDS server by itself, told of resources; Envoy answers the probes without a service behind it. */
export async function startServer(launch: Launch): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const folder = temporaryFolder();
  started.defer(() => removeFolder(folder));
  const socketOf = (name: string) => join(folder, `${name}.sock`);
  const system = started.use(await startSystem(launch, socketOf("xds")));
  await load(system, socketOf);
  const envoy = started.use(await startEnvoy(folder, "bench", "delta"));
  const client = started.use(new Client({ path: socketOf("in") }));
  await until(async () => (await client.ask("last.test")) === "a", 120_000, 50);
  const owned = started.move();

  const sampleOf = (resources: readonly Resource[], served: () => Promise<boolean>): Sample => ({
    change: () => system.publish(resources),
    served,
  });
  const routeChange = (at: number) => {
    const to = at % 2 === 0 ? "b" : "a";
    return sampleOf([scope("route.test", to)], async () => (await client.ask("route.test")) === to);
  };
  const addOne = (at: number) =>
    sampleOf(
      service(`added-${at}`, socketOf("a")),
      async () => (await client.ask(`added-${at}.test`)) === "a",
    );
  const rotate = (at: number) => {
    const to = certificates[at % 2 === 0 ? 1 : 0];
    const served = async () => (await presented(socketOf("tls"))) === to.commonName;
    return sampleOf([secret("certificate", to)], served);
  };
  return {
    name: launch.name,
    cases: [
      { name: "route_change", samples: 200, sample: routeChange },
      { name: "add_one_of_10000", samples: 60, sample: addOne },
      { name: "certificate", samples: 60, sample: rotate },
    ],
    received: () => envoy.stat("cluster.xds.upstream_cx_rx_bytes_total"),
    peakMegabytes: () => system.peakMegabytes(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function load(system: System, socketOf: (name: string) => string): Promise<void> {
  const names = Array.from({ length: services }, (_, at) => `service-${at}`);
  for (let at = 0; at < services; at += chunk) {
    await system.publish(names.slice(at, at + chunk).flatMap((name) => service(name, socketOf("a"))));
  }
  const [certificate] = certificates;
  await system.publish([
    ...["a", "b"].flatMap((name) => [
      cluster(name),
      endpoints(name, socketOf(name)),
      answeringListener(name, socketOf(name)),
    ]),
    scope("route.test", "a"),
    scope("last.test", "a"),
    listener("in", socketOf("in")),
    secret("certificate", certificate),
    tlsListener("tls", socketOf("tls"), "certificate"),
  ]);
}

function service(name: string, to: string): Resource[] {
  return [cluster(name), endpoints(name, to), scope(`${name}.test`, name)];
}
