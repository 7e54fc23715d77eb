import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { NodeUnderTest } from "@catalyst/harness";
import { orchestratorContract, type ServiceDeclarationInput } from "@catalyst/rpc";
import { ours, peakMegabytes } from "../report.ts";
import { startBackends } from "./backends.ts";
import { Client } from "./probe.ts";
import { type Sample, type Subject, services } from "./subject.ts";

/** What a user has: a whole node with its services on disk, told of a service over RPC, real backends. */
export async function startNode(): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "bench-node-"));
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [a, b] = await startBackends(started);
  const config = join(folder, "node.json");
  const names = Array.from({ length: services }, (_, at) => `service-${at}`);
  writeFileSync(config, JSON.stringify({ mesh: { services: names.map((name) => service(name, a)) } }));
  const node = started.use(await NodeUnderTest.start({ flags: ["--config", config] }));
  const client = started.use(new Client({ host: "127.0.0.1", port: node.ports.ingress }));
  const orchestrator = started.use(await node.connect("orchestrator", orchestratorContract));
  const pid = await node.pidOf("orchestrator");
  await node.addService(service("route", a));
  const owned = started.move();

  const sampleOf = (declared: ServiceDeclarationInput, answer: string): Sample => ({
    change: async () => {
      const at = process.hrtime.bigint();
      await orchestrator.call.addService({ service: declared, waitMs: 0 });
      return at;
    },
    served: async () => (await client.ask(`${declared.name}.${node.domain}`)) === answer,
  });
  return {
    name: `${ours}+node`,
    cases: [
      {
        name: "route_change",
        samples: 200,
        sample: (at) =>
          at % 2 === 0 ? sampleOf(service("route", b), "b") : sampleOf(service("route", a), "a"),
      },
      { name: "add_one_of_10000", samples: 60, sample: (at) => sampleOf(service(`added-${at}`, a), "a") },
    ],
    received: () => receivedBytes(join(node.dataDir, "run", "envoy-admin.sock")),
    peakMegabytes: () => peakMegabytes(pid),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function service(name: string, port: number): ServiceDeclarationInput {
  return { name, protocol: "http", url: `http://127.0.0.1:${port}/` };
}

async function receivedBytes(socketPath: string): Promise<number> {
  const asked = get({
    socketPath,
    path: "/stats?filter=^cluster.xds.upstream_cx_rx_bytes_total$",
    agent: false,
  });
  const [response] = await once(asked, "response");
  return Number((await text(response)).trim().split(" ").at(-1));
}
