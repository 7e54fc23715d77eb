import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { until } from "../test/envoy.ts";
import { apiListener, cluster, endpoints, routeConfiguration } from "../test/resources.ts";
import { defaultKey } from "./options.ts";
import { createXdsServer, type XdsServer } from "./server.ts";
import { Snapshot } from "./snapshot.ts";

const path = "/test.Echo/Say";
const same = (bytes: Buffer) => bytes;

/** A gRPC service that answers with its name. */
async function startBackend(name: string): Promise<{ readonly port: number; readonly server: Server }> {
  const server = new Server();
  const say = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const implementation = (_: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
    answer(null, Buffer.from(name));
  server.addService({ say }, { say: implementation });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, server };
}

/** A gRPC client of another project that finds its backends through our server. */
async function startClient(server: XdsServer): Promise<Client> {
  process.env["GRPC_XDS_BOOTSTRAP_CONFIG"] = JSON.stringify({
    xds_servers: [
      { server_uri: server.addresses[0], channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] },
    ],
    node: { id: "grpc-js-xds", locality: { region: "local" } },
  });
  const { register } = await import("@grpc/grpc-js-xds");
  register();
  return new Client("xds:///echo", credentials.createInsecure());
}

function call(client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5_000;
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), { deadline }, (error, answer) =>
      error ? reject(error) : resolve(String(answer)),
    );
  });
}

test("a gRPC client follows endpoints and routes from one backend to another without a failed call", async () => {
  const a = await startBackend("a");
  const b = await startBackend("b");
  await using server = await createXdsServer({ listen: ["127.0.0.1:0"] });
  const start = [
    cluster("one"),
    endpoints("one", a.port),
    routeConfiguration("r", "one"),
    apiListener("echo", "r"),
  ];
  server.set(defaultKey, new Snapshot(start));
  const client = await startClient(server);
  const answers: string[] = [];
  const failures: unknown[] = [];
  let calling = true;
  const load = (async () => {
    while (calling) {
      await call(client).then(
        (answer) => answers.push(answer),
        (error) => failures.push(error),
      );
      await sleep(1);
    }
  })();
  try {
    await until(() => answers.includes("a") || failures.length > 0, 10_000);
    assert.deepEqual(failures, []);
    const [proxy] = server.proxies();
    assert.deepEqual([proxy?.node, proxy?.protocol, proxy?.types.length], ["grpc-js-xds", "sotw", 4]);

    server.update(defaultKey, { upsert: [endpoints("one", b.port)] });
    assert.equal((await server.settled(defaultKey)).complete, true);
    await until(() => answers.at(-1) === "b");

    server.update(defaultKey, {
      upsert: [cluster("two"), endpoints("two", a.port), routeConfiguration("r", "two")],
      remove: [cluster("one"), endpoints("one", b.port)],
    });
    await until(() => answers.at(-1) === "a");
    b.server.forceShutdown();
    const before = answers.length;
    await until(() => answers.length > before + 20);
    assert.deepEqual(failures, []);
    assert.equal(
      answers.slice(before).every((answer) => answer === "a"),
      true,
    );
    assert.deepEqual(server.quarantined(), []);
  } finally {
    calling = false;
    await load;
    client.close();
    a.server.forceShutdown();
    b.server.forceShutdown();
  }
});
