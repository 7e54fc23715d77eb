import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { defaultKey, encodeResource, type Resource } from "@catalyst/xds";
import { ClusterSchema } from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import { gatewayCluster } from "../src/cluster.ts";
import { envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask, errorOf } from "./upstream.ts";

/** The cluster with room for one request at a time. */
function narrow({ name, body }: Resource): Resource {
  const cluster = fromBinary(ClusterSchema, body);
  for (const threshold of cluster.circuitBreakers?.thresholds ?? []) threshold.maxRequests = 1;
  return encodeResource(ClusterSchema, name, cluster);
}

test("what is more than the gateway takes is answered with 503 and when to come again", {
  skip: envoyMissing,
}, async () => {
  await using envoy = await startEnvoy();
  assert("socketPath" in envoy.mesh.gateway);
  const open: ServerResponse[] = [];
  const gateway = createServer((_, response) => void open.push(response));
  gateway.listen(envoy.mesh.gateway.socketPath);
  await once(gateway, "listening");
  try {
    envoy.xds.update(defaultKey, { upsert: [narrow(gatewayCluster(envoy.mesh))] });
    assert(await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 }));
    const what = { host: "localhost", path: "/graphql" };
    const first = ask(envoy.mesh.listen.ingress.port, what);
    await until(() => open.length === 1);
    const second = await ask(envoy.mesh.listen.ingress.port, what);
    assert.equal(second.status, 503);
    assert.equal(second.headers["retry-after"], "1");
    assert.equal(errorOf(second).extensions["code"], "GATEWAY_OVERLOADED");
    assert.match(errorOf(second).message, /has more requests than it takes\. Try again shortly\.$/);
    open[0]?.end("served");
    assert.equal((await first).body, "served");
  } finally {
    gateway.closeAllConnections();
    gateway.close();
  }
});
