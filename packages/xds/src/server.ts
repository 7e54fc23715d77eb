import { chmodSync, lstatSync, rmSync } from "node:fs";
import { type handleBidiStreamingCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { Connection, type ConnectionContext } from "./connection.ts";
import type { Protocol } from "./discovery.ts";
import { XdsError } from "./errors.ts";
import { addHealthService } from "./health.ts";
import { defaultKey, defaultLimits, type XdsLimits, type XdsServerOptions } from "./options.ts";
import { Published } from "./published.ts";
import type { Change } from "./resource.ts";
import { typeTable } from "./resource-type.ts";
import { type Settlement, type SettlementOptions, Settlements } from "./settlement.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ProxyStatus, QuarantinedResource } from "./status.ts";
import { ResourceTable } from "./table.ts";

/** A running xDS server. */
export type XdsServer = AsyncDisposable & {
  /** What clients connect to, in the order of `listen`, with the ports that were chosen. */
  readonly addresses: readonly string[];
  /**
   * Publishes a change under a key and returns its revision; 0 changes cost nothing and keep the revision. Throws
   * `XdsError` `reference_missing` or `resource_malformed`, and then nothing changed.
   */
  update(key: string, change: Change): number;
  /** Publishes `snapshot` as all there is under a key. Costs in proportion to it, sends differences only. */
  set(key: string, snapshot: Snapshot): number;
  /** What is published under a key; empty when nothing was. */
  snapshot(key: string): Snapshot;
  /** Waits until every connected proxy of a key acknowledged (or quarantined) what is published. */
  settled(key: string, options?: SettlementOptions): Promise<Settlement>;
  /** Every connected proxy, longest connected first. */
  proxies(): ProxyStatus[];
  /** Every resource that a connected proxy rejected. */
  quarantined(): QuarantinedResource[];
  /** Ends the streams of all proxies, or of those for which `predicate` holds; they reconnect as they see fit. */
  disconnect(predicate?: (proxy: ProxyStatus) => boolean): void;
  /** Ends all streams and stops listening. */
  close(): Promise<void>;
};

const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";
const tickMs = 1_000;

/**
 * Starts a server. Nothing is answered for a key before something was published under it, so that a proxy that
 * connects early keeps what it has. Throws `XdsError` `listen_failed`.
 *
 * ```ts
 * const server = await createXdsServer({ listen: ["unix:/run/xds.sock"] });
 * server.update(defaultKey, { upsert: [encodeResource(ClusterSchema, "a", { name: "a" })] });
 * await server.settled(defaultKey, { timeoutMs: 1_000 });
 * ```
 */
export async function createXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const limits: XdsLimits = { ...defaultLimits, ...options.limits };
  const types = typeTable(options.types);
  const published = new Map<string, Published>();
  const connections = new Set<Connection>();
  const ofKey = (key: string): Connection[] => [...connections].filter((each) => each.key === key);
  const settlements = new Settlements(ofKey);
  let closed = false;

  const at = (key: string): Published => {
    const known = published.get(key) ?? new Published(new ResourceTable(types.of, options.external));
    published.set(key, known);
    return known;
  };
  const context: ConnectionContext = {
    limits,
    types,
    identifier: options.identifier ?? "xds",
    events: options.events ?? {},
    clock: options.clock ?? Date.now,
    keyOf: options.keyOf ?? (() => defaultKey),
    join: (key) => at(key),
    leave: (connection) => {
      connections.delete(connection);
      const { key } = connection;
      if (key !== undefined && at(key).revision === 0 && ofKey(key).length === 0) published.delete(key);
    },
    progressed: () => settlements.check(),
  };
  const update = (key: string, change: Change): number => {
    if (closed) throw new XdsError("server_closed", "The server is closed.");
    const { table } = at(key);
    const plan = table.plan(change, options.checkReferences ?? true);
    if (plan.upsert.length + plan.remove.length === 0 && table.revision > 0) return table.revision;
    table.commit(plan);
    for (const connection of ofKey(key)) connection.take({ kind: "published", plan });
    return plan.revision;
  };

  const grpc = createGrpcServer(limits, (call, protocol) => {
    connections.add(new Connection(call, protocol, context));
  });
  const addresses = await listen(grpc, options);
  const ticker = setInterval(() => {
    for (const connection of connections) connection.take({ kind: "tick" });
  }, tickMs).unref();

  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    clearInterval(ticker);
    settlements.close();
    for (const connection of [...connections]) connection.end(status.UNAVAILABLE, "the server is closing");
    await shutDown(grpc, limits.drainMs);
  };
  return {
    addresses,
    update,
    set: (key, snapshot) => update(key, at(key).table.changeTo(snapshot)),
    snapshot: (key) => at(key).table.snapshot(),
    settled: (key, settlement) => settlements.wait(key, at(key).revision, settlement),
    proxies: () => [...connections].flatMap((connection) => connection.status() ?? []),
    quarantined: () => [...connections].flatMap((connection) => connection.quarantined()),
    disconnect: (predicate) => {
      for (const connection of [...connections]) {
        const proxy = connection.status();
        if (!predicate || (proxy && predicate(proxy)))
          connection.end(status.OK, "the server disconnected the proxy");
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createGrpcServer(
  limits: XdsLimits,
  accept: (call: Parameters<handleBidiStreamingCall<Buffer, Buffer>>[0], protocol: Protocol) => void,
): Server {
  const server = new Server({
    "grpc.max_receive_message_length": limits.maxRequestBytes,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
  });
  const bytes = (value: Buffer): Buffer => value;
  const method = (name: string) => ({
    path: `${service}${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  server.addService(
    { stream: method("StreamAggregatedResources"), delta: method("DeltaAggregatedResources") },
    {
      stream: (call: Parameters<handleBidiStreamingCall<Buffer, Buffer>>[0]) => accept(call, "sotw"),
      delta: (call: Parameters<handleBidiStreamingCall<Buffer, Buffer>>[0]) => accept(call, "delta"),
    },
  );
  addHealthService(server);
  return server;
}

async function listen(server: Server, options: XdsServerOptions): Promise<string[]> {
  const credentials = options.credentials ?? ServerCredentials.createInsecure();
  const bound: string[] = [];
  for (const address of options.listen) {
    const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
    try {
      if (path) removeSocket(path);
      const port = await bind(server, address, credentials);
      if (path) chmodSync(path, 0o600);
      bound.push(path ? address : address.replace(/:\d+$/, `:${port}`));
    } catch (cause) {
      server.forceShutdown();
      throw new XdsError("listen_failed", `${address} cannot be served.`, { cause });
    }
  }
  return bound;
}

/** A socket file outlives the process that made it; anything else at its path is left alone. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function shutDown(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), drainMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
