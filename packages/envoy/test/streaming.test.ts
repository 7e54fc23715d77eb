import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { at, type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { type Ask, ask, errorOf, lateMs, startUpstream, type Upstream } from "./upstream.ts";

const host = "live.acme.catalyst.internal";
const timeoutMs = lateMs - 400;

describe("A service with a time limit", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    envoy = await startEnvoy({
      services: [{ name: "live", protocol: "graphql", url: `${upstream.origin}/graphql`, timeoutMs }],
    });
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const ingress = (what: Ask) => ask(envoy.mesh.listen.ingress.port, what);

  test("is named in a 504 when its answer does not begin in time", async () => {
    const started = performance.now();
    const answer = await ingress({ host, path: "/late" });
    assert.equal(answer.status, 504);
    assert.deepEqual(
      [errorOf(answer).extensions["code"], errorOf(answer).extensions["service"]],
      ["SERVICE_TIMEOUT", "live"],
    );
    assert(performance.now() - started < lateMs);
  });

  test("may stream events for longer than its time limit", async () => {
    const answer = await ingress({ host, path: "/events", headers: { accept: "text/event-stream" } });
    assert.equal(answer.body, "data: first\n\ndata: last\n\n");
  });

  test("may keep a WebSocket silent for longer than its time limit", async () => {
    const socket = connect(envoy.mesh.listen.ingress.port, "127.0.0.1");
    try {
      socket.write(
        `GET /ws HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n`,
      );
      const [head] = await once(socket, "data");
      assert.match(String(head), /^HTTP\/1\.1 101 /);
      socket.write("echo");
      const [echo] = await once(socket, "data");
      assert.equal(String(echo), "echo");
    } finally {
      socket.destroy();
    }
  });

  test("is reached over HTTP/2 without TLS on the same port", async () => {
    const session = connectHttp2(`http://${at(envoy.mesh.listen.ingress)}`);
    try {
      const stream = session.request({ ":path": "/graphql", ":authority": host });
      const [headers] = await once(stream, "response");
      assert.equal(headers[":status"], 200);
      stream.resume();
      await once(stream, "end");
    } finally {
      session.destroy();
    }
  });
});
