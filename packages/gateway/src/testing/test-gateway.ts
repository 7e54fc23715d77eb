import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import type { GatewayReport, GatewayUpdate } from "@catalyst/rpc";
import { createLogger, createMetrics, type Metrics } from "@catalyst/telemetry";
import type { ExecutionResult } from "graphql";
import type { GatewayEvents } from "../events.ts";
import { createGateway, type Gateway, type GatewayParts } from "../gateway.ts";
import { gatewayOptions } from "../options.ts";
import type { RequestScope, ServiceTarget } from "../service.ts";
import { domain, serveEgress, stop, type TestEgress, type TestService } from "./test-services.ts";

/** Events that go nowhere. */
export const silentEvents: GatewayEvents = {
  request: () => undefined,
  subRequest: () => undefined,
  subRequestRetried: () => undefined,
  subRequestShared: () => undefined,
  breaker: () => undefined,
  internalError: (_, error) => {
    throw error;
  },
  generation: () => undefined,
  serviceState: () => undefined,
  serviceCounts: () => undefined,
  slowReader: () => undefined,
  subscriptionMoved: () => undefined,
  persistedDocuments: () => undefined,
  cacheFailed: () => undefined,
  engineFallback: () => undefined,
};

export function targetOf(name: string, overrides: Partial<ServiceTarget> = {}): ServiceTarget {
  return { name, host: `${name}.${domain}`, path: "/graphql", timeoutMs: 2_000, revision: "1", ...overrides };
}

export function scopeOf(overrides: Partial<RequestScope> = {}): RequestScope {
  return { requestId: randomUUID(), headers: {}, signal: new AbortController().signal, ...overrides };
}

/** A gateway behind a real HTTP server, with services behind a real proxy. */
export type TestGateway = AsyncDisposable & {
  readonly gateway: Gateway;
  readonly egress: TestEgress;
  readonly url: string;
  readonly metrics: Metrics;
  /** Log lines so far. */
  readonly log: Record<string, unknown>[];
  /** Applies the next version with these services; a service is reached from then on, or not when null. */
  apply(
    services: Readonly<Record<string, TestService | null>>,
    overrides?: Readonly<Record<string, Partial<ServiceTarget>>>,
  ): Promise<GatewayReport>;
  update(names: readonly string[]): GatewayUpdate;
  query(query: string, headers?: Readonly<Record<string, string>>): Promise<ExecutionResult>;
};

/** An update waits for every schema, however busy the machine is. */
const unhurried = { schemaSettleMs: 20_000 };

export async function openGateway(
  options: object = {},
  parts: Partial<GatewayParts> = {},
): Promise<TestGateway> {
  const egress = await serveEgress();
  const log: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk, _, done) {
      for (const line of String(chunk).trim().split("\n")) log.push(JSON.parse(line));
      done();
    },
  });
  const metrics = createMetrics();
  const logger = createLogger({ process: "gateway", level: "debug", destination });
  const gateway = createGateway(
    { logger, metrics, ...parts },
    gatewayOptions.parse({ ...unhurried, ...options }),
  );
  const server = createServer(gateway.handle).on("upgrade", gateway.upgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  let version = 0;
  const update = (names: readonly string[]): GatewayUpdate => ({
    version,
    egress: { host: egress.host, port: egress.port },
    services: names.map((name) => targetOf(name)),
  });
  return {
    gateway,
    egress,
    url,
    metrics,
    log,
    update,
    async apply(services, overrides = {}) {
      for (const [name, service] of Object.entries(services)) {
        if (service === null) egress.routes.delete(name);
        else egress.routes.set(name, service.port);
      }
      version += 1;
      const next = update(Object.keys(services));
      const targets = next.services.map((target) => ({ ...target, ...overrides[target.name] }));
      return await gateway.apply({ ...next, services: targets });
    },
    async query(query, headers = {}) {
      const body = JSON.stringify({ query });
      const init = { method: "POST", headers: { "content-type": "application/json", ...headers }, body };
      return (await (await fetch(url, init)).json()) as ExecutionResult;
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await stop(server);
      await egress[Symbol.asyncDispose]();
    },
  };
}
