import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, status } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from "../generated/envoy/service/discovery/v3/discovery_pb.js";
import { removeFolder, temporaryFolder, until } from "../test/envoy.ts";
import { cluster, endpoints } from "../test/resources.ts";
import { defaultKey, type XdsServerOptions } from "./options.ts";
import { clusterType } from "./references.ts";
import { createResource } from "./resource.ts";
import { createXdsServer, type XdsServer } from "./server.ts";
import { Snapshot } from "./snapshot.ts";

type Call = ClientDuplexStream<Buffer, Buffer>;
type Ended = { readonly code: status; readonly details: string };

/** A client that sends what no library would. */
class RawClient {
  readonly #client: Client;
  readonly call: Call;
  readonly responses: Buffer[] = [];
  readonly ended: Promise<Ended>;

  constructor(address: string, method = "DeltaAggregatedResources") {
    this.#client = new Client(address, credentials.createInsecure());
    const path = `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`;
    const same = (bytes: Buffer) => bytes;
    this.call = this.#client.makeBidiStreamRequest(path, same, same);
    this.call.on("data", (bytes: Buffer) => this.responses.push(bytes));
    this.ended = new Promise((resolve) => this.call.on("status", resolve));
    this.call.on("error", () => undefined);
  }

  say(request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.call.write(
      Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request))),
    );
  }

  async response(at: number) {
    await until(() => this.responses.length > at);
    return fromBinary(DeltaDiscoveryResponseSchema, this.responses[at] ?? Buffer.alloc(0));
  }

  close(): void {
    this.call.cancel();
    this.#client.close();
  }
}

async function withServer(
  options: Partial<XdsServerOptions>,
  run: (server: XdsServer, connect: (method?: string) => RawClient) => Promise<void>,
): Promise<void> {
  await using server = await createXdsServer({ listen: ["127.0.0.1:0"], ...options });
  const clients: RawClient[] = [];
  const connect = (method?: string) => {
    const client = new RawClient(server.addresses[0] ?? "", method);
    clients.push(client);
    return client;
  };
  try {
    await run(server, connect);
  } finally {
    for (const client of clients) client.close();
  }
}

const hello = { node: { id: "n1" }, typeUrl: clusterType };
const base = new Snapshot([cluster("a"), endpoints("a", 1)]);

test("malformed bytes end their stream with a code, and nothing else", () =>
  withServer({}, async (server, connect) => {
    server.set(defaultKey, base);
    const good = connect();
    good.say(hello);
    await good.response(0);
    for (const method of ["DeltaAggregatedResources", "StreamAggregatedResources"]) {
      const bad = connect(method);
      bad.call.write(Buffer.from([0xff, 0xff, 0xff]));
      const { code, details } = await bad.ended;
      assert.deepEqual([code, details], [status.INVALID_ARGUMENT, "the request is malformed"]);
    }
    good.say({ typeUrl: clusterType, responseNonce: "1" });
    server.update(defaultKey, { upsert: [cluster("a", 2_000)] });
    assert.equal((await good.response(1)).resources.length, 1);
  }));

test("a first request without a node or a type ends the stream", () =>
  withServer({}, async (_, connect) => {
    const nameless = connect();
    nameless.say({ typeUrl: clusterType });
    assert.equal((await nameless.ended).details, "the first request names no node");
    const typeless = connect();
    typeless.say({ node: { id: "n" } });
    assert.equal((await typeless.ended).details, "the request names no type");
  }));

test("a request that is too large, and names without end, end the stream", () =>
  withServer({ limits: { maxRequestBytes: 1_000, maxNames: 10 } }, async (server, connect) => {
    const names = Array.from({ length: 11 }, (_, at) => `name-${at}`);
    const greedy = connect();
    greedy.say({ ...hello, resourceNamesSubscribe: names });
    assert.equal((await greedy.ended).code, status.RESOURCE_EXHAUSTED);
    const large = connect();
    large.say({ ...hello, resourceNamesSubscribe: ["x".repeat(2_000)] });
    assert.equal((await large.ended).code, status.RESOURCE_EXHAUSTED);
    await until(() => server.proxies().length === 0);
  }));

test("a client that does not read is dropped before it fills the memory", () => {
  const reasons: string[] = [];
  const events = { onDisconnected: (_: unknown, reason: string) => reasons.push(reason) };
  return withServer({ limits: { maxBufferedBytes: 200_000 }, events }, async (server, connect) => {
    const body = Buffer.alloc(100_000);
    const types = Array.from({ length: 8 }, (_, at) => `test/big${at}`);
    server.update(defaultKey, { upsert: types.map((type) => createResource(type, "b", body)) });
    const slow = connect();
    slow.call.pause();
    for (const typeUrl of types) slow.say({ node: { id: "slow" }, typeUrl, resourceNamesSubscribe: ["b"] });
    await until(() => reasons.length === 1);
    assert.deepEqual(reasons, ["the client does not read fast enough"]);
    assert.deepEqual(server.proxies(), []);
  });
});

test("a response without an answer ends the stream", () =>
  withServer({ limits: { ackTimeoutMs: 50 } }, async (server, connect) => {
    server.set(defaultKey, base);
    const silent = connect();
    silent.say(hello);
    await silent.response(0);
    assert.equal((await silent.ended).code, status.DEADLINE_EXCEEDED);
  }));

test("a settlement names whom it waits for at its timeout, and completes with the acknowledgement", () =>
  withServer({}, async (server, connect) => {
    server.set(defaultKey, base);
    assert.equal((await server.settled(defaultKey)).complete, true, "nobody is connected");
    const client = connect();
    client.say(hello);
    const { nonce } = await client.response(0);
    const early = await server.settled(defaultKey, { timeoutMs: 20 });
    assert.deepEqual([early.complete, early.waitingFor], [false, ["n1"]]);
    const settling = server.settled(defaultKey);
    client.say({ typeUrl: clusterType, responseNonce: nonce });
    client.say({ typeUrl: endpoints("a", 1).type, resourceNamesSubscribe: ["a"] });
    const second = await client.response(1);
    client.say({ typeUrl: second.typeUrl, responseNonce: second.nonce });
    assert.equal((await settling).complete, true);
    const stopped = AbortSignal.abort();
    server.update(defaultKey, { upsert: [cluster("a", 3_000)] });
    assert.equal((await server.settled(defaultKey, { signal: stopped })).complete, false);
  }));

test("proxies are shown with what they were sent and what they said", () =>
  withServer({ keyOf: (node) => node.slice(0, 1) }, async (server, connect) => {
    server.set("n", base);
    const client = connect();
    client.say(hello);
    const { nonce } = await client.response(0);
    client.say({
      typeUrl: clusterType,
      responseNonce: nonce,
      errorDetail: { code: 3, message: "I do not like it" },
    });
    await until(() => server.quarantined().length === 1);
    const [proxy] = server.proxies();
    assert.deepEqual([proxy?.node, proxy?.key, proxy?.protocol], ["n1", "n", "delta"]);
    const [type] = proxy?.types ?? [];
    assert.deepEqual([type?.wildcard, type?.responses, type?.acknowledged], [true, 1, 0]);
    assert.equal(type?.rejected?.message, "I do not like it");
    const [bad] = server.quarantined();
    assert.deepEqual([bad?.node, bad?.name, bad?.version], ["n1", "a", cluster("a").version]);
    assert.equal(bad?.message, "I do not like it");
  }));

test("chosen proxies are disconnected, the others stay", () =>
  withServer({}, async (server, connect) => {
    const [one, two] = [connect(), connect()];
    one.say({ ...hello, node: { id: "one" } });
    two.say({ ...hello, node: { id: "two" } });
    await until(() => server.proxies().length === 2);
    server.disconnect(({ node }) => node === "one");
    assert.equal((await one.ended).code, status.OK);
    assert.deepEqual(
      server.proxies().map(({ node }) => node),
      ["two"],
    );
    server.disconnect();
    assert.equal((await two.ended).code, status.OK);
  }));

test("a closed server ends its streams, and publishes no more", async () => {
  const server = await createXdsServer({ listen: ["127.0.0.1:0"] });
  const client = new RawClient(server.addresses[0] ?? "");
  client.say(hello);
  await until(() => server.proxies().length === 1);
  const closing = server.close();
  assert.equal((await client.ended).code, status.UNAVAILABLE);
  await closing;
  client.close();
  assert.throws(() => server.update(defaultKey, {}), { code: "server_closed" });
});

test("a refused change leaves the snapshot as it was", () =>
  withServer({}, async (server) => {
    server.set(defaultKey, base);
    assert.throws(() => server.update(defaultKey, { upsert: [cluster("b")] }), { code: "reference_missing" });
    assert.equal(server.snapshot(defaultKey).size, 2);
  }));

test("a socket that a dead process left is replaced, and a file that is none is not", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "xds.sock");
  const listen = [`unix:${path}`];
  const first = await createXdsServer({ listen });
  await using second = await createXdsServer({ listen });
  assert.deepEqual(second.addresses, listen);
  await first.close();
  const file = join(folder, "file");
  writeFileSync(file, "");
  await assert.rejects(createXdsServer({ listen: [`unix:${file}`] }), { code: "listen_failed" });
  assert.equal(existsSync(file), true);
  removeFolder(folder);
});

test("an address that is taken is refused", () =>
  withServer({}, async (server) => {
    await assert.rejects(createXdsServer({ listen: [...server.addresses] }), { code: "listen_failed" });
  }));
