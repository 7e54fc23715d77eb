import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import type { Resource } from "@catalyst/xds";
import { certificates } from "../packages/xds/test/certificates.ts";
import { type Envoy, removeFolder, startEnvoy, temporaryFolder, until } from "../packages/xds/test/envoy.ts";
import {
  answeringListener,
  cluster,
  endpoints,
  listener,
  scope,
  secret,
  tlsListener,
} from "../packages/xds/test/resources.ts";
import { type Bench, percentile, type Row, toRow } from "./report.ts";
import { findSystems, type Launch, type System, startSystem } from "./xds/system.ts";

const services = 10_000;
const chunk = 500;
const rounds = 3;
const quietMs = 15;
const giveUpMs = 30_000;

/** A change, and how a client of Envoy sees that it is served. */
type Sample = { readonly change: readonly Resource[]; readonly served: () => Promise<boolean> };
type Case = {
  readonly name: string;
  readonly samples: number;
  readonly sample: (site: Site, at: number) => Sample;
};
/** Where one system is measured. */
type Site = {
  readonly system: System;
  readonly envoy: Envoy;
  readonly folder: string;
  readonly agent: Agent;
};

const cases: readonly Case[] = [
  { name: "route_change", samples: 200, sample: routeChange },
  { name: "add_one_of_10000", samples: 60, sample: addOne },
  { name: "certificate", samples: 60, sample: rotate },
];

/** A change in the control plane until the real Envoy serves it, with 10,000 services in place. */
export const bench: Bench = {
  name: "xds",
  targets: [
    { case: "route_change", metric: "p50", atMost: 2 },
    { case: "route_change", metric: "p99", atMost: 15 },
    { case: "add_one_of_10000", metric: "p50", atMost: 20 },
    { case: "add_one_of_10000", metric: "bytes", atMost: 2_000 },
    { case: "add_one_of_10000", metric: "rss", atMost: 300 },
  ],
  run: async (say) => {
    const rows: Row[] = [];
    for (const launch of findSystems(say)) {
      say(`${launch.name}: ${services} services are loaded`);
      rows.push(...(await measure(launch, say)));
    }
    return rows;
  },
};

async function measure(launch: Launch, say: (text: string) => void): Promise<Row[]> {
  const folder = temporaryFolder();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await using system = await startSystem(launch, socketOf(folder, "xds"));
    await load(system, folder);
    await using envoy = await startEnvoy(folder, "bench", "delta");
    const site = { system, envoy, folder, agent };
    await until(async () => (await ask(site, "last.test")) === "a", 120_000, 50);
    const rows: Row[] = [];
    for (const each of cases) {
      say(`${launch.name}: ${each.name}`);
      rows.push(...(await measureCase(site, each)));
    }
    return rows;
  } finally {
    agent.destroy();
    removeFolder(folder);
  }
}

async function load(system: System, folder: string): Promise<void> {
  const to = socketOf(folder, "a");
  const names = Array.from({ length: services }, (_, at) => `service-${at}`);
  for (let at = 0; at < services; at += chunk) {
    await system.publish(names.slice(at, at + chunk).flatMap((name) => service(name, to)));
  }
  const [certificate] = certificates;
  await system.publish([
    ...["a", "b"].flatMap((name) => [
      cluster(name),
      endpoints(name, socketOf(folder, name)),
      answeringListener(name, socketOf(folder, name)),
    ]),
    scope("route.test", "a"),
    scope("last.test", "a"),
    listener("in", socketOf(folder, "in")),
    secret("certificate", certificate),
    tlsListener("tls", socketOf(folder, "tls"), "certificate"),
  ]);
}

async function measureCase(site: Site, { name, samples, sample }: Case): Promise<Row[]> {
  const { system } = site;
  const values = { p50: [] as number[], p99: [] as number[], bytes: [] as number[], rss: [] as number[] };
  for (let round = 0, count = 0; round < rounds; round++) {
    const before = await received(site.envoy);
    const times: number[] = [];
    for (let at = 0; at < samples; at++) {
      await sleep(quietMs);
      times.push(await timeToServe(system, sample(site, count++)));
    }
    values.p50.push(percentile(times, 0.5));
    values.p99.push(percentile(times, 0.99));
    values.bytes.push(((await received(site.envoy)) - before) / samples);
    values.rss.push(system.peakMegabytes());
  }
  const row = (metric: keyof typeof values, unit: string) =>
    toRow({ case: name, metric, system: system.name, unit }, values[metric]);
  return [row("p50", "ms"), row("p99", "ms"), row("bytes", "B"), row("rss", "MB")];
}

async function timeToServe(system: System, { change, served }: Sample): Promise<number> {
  const published = system.publish(change);
  const giveUp = Date.now() + giveUpMs;
  while (!(await served()))
    if (Date.now() > giveUp) throw new Error(`${system.name}: a change is not served`);
  const end = process.hrtime.bigint();
  return Number(end - (await published)) / 1e6;
}

function routeChange(site: Site, at: number): Sample {
  const to = at % 2 === 0 ? "b" : "a";
  return { change: [scope("route.test", to)], served: async () => (await ask(site, "route.test")) === to };
}

function addOne(site: Site, at: number): Sample {
  const change = service(`added-${at}`, socketOf(site.folder, "a"));
  return { change, served: async () => (await ask(site, `added-${at}.test`)) === "a" };
}

function rotate(site: Site, at: number): Sample {
  const to = certificates[at % 2 === 0 ? 1 : 0];
  const served = async () => (await presented(socketOf(site.folder, "tls"))) === to.commonName;
  return { change: [secret("certificate", to)], served };
}

function service(name: string, to: string): Resource[] {
  return [cluster(name), endpoints(name, to), scope(`${name}.test`, name)];
}

/** What Envoy ever received from the control plane, in bytes on the socket. */
function received(envoy: Envoy): Promise<number> {
  return envoy.stat("cluster.xds.upstream_cx_rx_bytes_total");
}

function ask({ folder, agent }: Site, host: string): Promise<string> {
  return new Promise((resolve) => {
    const options = { socketPath: socketOf(folder, "in"), path: "/", headers: { host }, agent };
    const sent = request(options, (response) => {
      let body = "";
      response.on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve(body));
    });
    sent.on("error", () => resolve("")).end();
  });
}

async function presented(path: string): Promise<string> {
  const socket = connect({ path, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

function socketOf(folder: string, name: string): string {
  return join(folder, `${name}.sock`);
}
