import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { defaultKey } from "@catalyst/xds";
import { compileCredentials } from "../src/auth.ts";
import { claimsOf, domain, rulesOf, testIssuer } from "./credentials.ts";
import { at, type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { ask, errorOf, lateMs, startUpstream, type Upstream } from "./upstream.ts";

const keys = testIssuer("apikeys");
const maxStreamMs = lateMs - 200;

describe("What a credential has let in", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    envoy = await startEnvoy({
      services: ["live", "open"].map((name) => {
        return { name, protocol: "http", url: upstream.origin, timeoutMs: 5_000 };
      }),
      mesh: { auth: { open: ["open"], maxStreamMs } },
      extra: compileCredentials(rulesOf([keys])),
    });
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  /** Opens a stream by hand; resolves when Envoy closes it with what came, and when the last of it came. */
  const follow = async (port: number, name: string, path: string, credential: string, more = "") => {
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: ${name}.${domain}\r\nx-api-key: ${credential}\r\n${more}\r\n`,
    );
    const began = performance.now();
    let [text, lastMs] = ["", 0];
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      lastMs = performance.now() - began;
    });
    try {
      await once(socket, "close", { signal: AbortSignal.timeout(lateMs + 3_000) });
    } finally {
      socket.destroy();
    }
    return { text, lastMs };
  };

  test("goes on no longer than it may, and comes back while the credential is good and not when it was revoked", async () => {
    const { ingress, egress } = envoy.mesh.listen;
    const credential = keys.issue();
    const streams = [
      { path: "/endless", more: "", status: 200 },
      { path: "/ws", more: "connection: upgrade\r\nupgrade: websocket\r\n", status: 101 },
    ];
    const each = [ingress, egress].flatMap(({ port }) => streams.map((stream) => ({ port, ...stream })));
    await Promise.all(
      each.map(async ({ port, path, more, status }) => {
        const { text, lastMs } = await follow(port, "live", path, credential, more);
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
        assert(lastMs < maxStreamMs + 300, `${path} sent after ${lastMs} ms`);
        if (status === 200) assert(lastMs > maxStreamMs - 200, `${path} ended after ${lastMs} ms`);
      }),
    );
    const revoked = rulesOf([keys], [String(claimsOf(credential)["jti"])]);
    envoy.xds.update(defaultKey, { upsert: compileCredentials(revoked) });
    assert((await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 })).complete);
    const again = { host: `live.${domain}`, path: "/endless", headers: { "x-api-key": credential } };
    assert.equal((await ask(ingress.port, again)).status, 401);
    await assert.rejects(follow(ingress.port, "open", "/endless", ""), { name: "AbortError" });
  });

  test("ends alone: other requests of its HTTP/2 connection go on", async () => {
    const session = connectHttp2(`http://${at(envoy.mesh.listen.ingress)}`);
    const open = (path: string) =>
      session.request({ ":path": path, ":authority": `live.${domain}`, "x-api-key": keys.issue() });
    try {
      const stream = open("/endless").resume();
      await assert.rejects(once(stream, "end"), { code: "ERR_HTTP2_STREAM_ERROR" });
      const [headers] = await once(open("/").resume(), "response");
      assert.equal(headers[":status"], 200);
    } finally {
      session.destroy();
    }
  });

  test("is a time-out of the service when its answer has not begun by then", async () => {
    const late = { host: `live.${domain}`, path: "/late", headers: { "x-api-key": keys.issue() } };
    const answer = await ask(envoy.mesh.listen.ingress.port, late);
    assert.deepEqual([answer.status, errorOf(answer).extensions["code"]], [504, "SERVICE_TIMEOUT"]);
  });
});
