// node bench/gateway/server.ts SETUP: our gateway in a process of its own, on a port that it prints. Answers lines:
// the name of a service when a schema with what it says now is in force, with the number of that; `memory`, when it
// is told to be without garbage, with the memory in use.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createGateway } from "@catalyst/gateway";
import { gatewayOptions } from "@catalyst/gateway/options";
import { createLogger, createMetrics, type LogLevel, type Metrics } from "@catalyst/telemetry";
import { subgraphs } from "./shop.ts";

/** What is given to the process; what is left out is as by default. */
export type Setup = {
  /** Port of the subgraphs' process, which takes the place of Envoy's egress listener. */
  readonly egressPort: number;
  readonly options?: object;
  readonly logLevel?: LogLevel;
  readonly metrics?: boolean;
};

const setup = JSON.parse(process.argv[2] ?? "") as Setup;
const options = gatewayOptions.parse({ schemaSettleMs: 20_000, ...setup.options });
const logger = createLogger({ process: "gateway", level: setup.logLevel ?? "info" });
const gateway = createGateway(
  { logger, metrics: setup.metrics === false ? noMetrics() : createMetrics() },
  options,
);
const services = subgraphs.map(({ name }) => ({
  name,
  host: `${name}.bench.catalyst.internal`,
  path: `/${name}`,
  timeoutMs: 10_000,
  revision: "1",
}));
const egress = { host: "127.0.0.1", port: setup.egressPort };
const report = await gateway.apply({ version: 1, egress, services });
if (!report.services.every(({ state }) => state === "serving")) throw new Error(JSON.stringify(report));
const server = createServer({ keepAliveTimeout: 120_000 }, gateway.handle);
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(line === "memory" ? JSON.stringify(await memory()) : (await gateway.refresh(line)).generation);
}
process.exit();

/** After collections, where `--expose-gc` lets us ask for them; pages go back to the system a moment later. */
async function memory(): Promise<NodeJS.MemoryUsage> {
  for (let count = 0; count < 3; count++) {
    globalThis.gc?.();
    await sleep(500);
  }
  return process.memoryUsage();
}

/** Metrics that nobody counts. */
function noMetrics(): Metrics {
  return {
    ...createMetrics(),
    counter: () => ({ inc: () => undefined }),
    gauge: () => ({ set: () => undefined }),
    histogram: () => ({ observe: () => undefined }),
  };
}
