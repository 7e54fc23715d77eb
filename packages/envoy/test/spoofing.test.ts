import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { compileCredentials } from "../src/auth.ts";
import { compileSecret } from "../src/tls.ts";
import { domain, rulesOf, testIssuer } from "./credentials.ts";
import { at, type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { anyPath, mark, misleadingPaths, spoofed } from "./misleading.ts";
import { startUpstream } from "./upstream.ts";

const keys = testIssuer("apikeys");
describe("What a caller says of itself", { skip: envoyMissing }, () => {
  let service: RawService;
  let envoy: EnvoyUnderTest;

  before(async () => {
    service = await startRawService();
    const named = (name: string) => ({
      name,
      protocol: "http" as const,
      url: service.origin,
      timeoutMs: 5_000,
    });
    envoy = await startEnvoy({
      services: [named("closed"), named("open")],
      mesh: { auth: { open: ["open"] } },
      tls: true,
      extra: [
        compileSecret("ingress", certificate()),
        ...compileCredentials(rulesOf([testIssuer("tokens"), keys])),
      ],
    });
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  });

  /** Both services, on every listener, over each protocol that it speaks. */
  const ways = () => {
    const { ingress, ingressTls = ingress, egress } = envoy.mesh.listen;
    const plain = (port: number) => () => connect(port, "127.0.0.1");
    const secure = () =>
      connectTls({
        port: ingressTls.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["http/1.1"],
      });
    return [
      { name: "ingress", dial: plain(ingress.port), origin: `http://${at(ingress)}` },
      { name: "ingress-tls", dial: secure, origin: `https://${at(ingressTls)}` },
      { name: "egress", dial: plain(egress.port), origin: `http://${at(egress)}` },
    ].flatMap((way) =>
      [
        { host: `open.${domain}`, credential: [], caller: undefined },
        { host: `OPEN.${domain}`, credential: [], caller: undefined },
        { host: `closed.${domain}`, credential: [["x-api-key", keys.issue()]], caller: "apikey:ci" },
      ].map((to) => ({ ...way, ...to, what: `${way.name} ${to.host}` })),
    );
  };

  test("never reaches a service over HTTP/1.1: in any case, twice, with underscores, or named in Connection", async () => {
    for (const { dial, host, credential, caller, what } of ways()) {
      const lines = [
        `GET / HTTP/1.1`,
        `host: ${host}`,
        ...credential.map(([name, value]) => `${name}: ${value}`),
        ...spoofed.flatMap((name) => [`${name}: ${mark}`, `${name}: ${mark}2`]),
        "connection: close, x-catalyst-caller",
      ];
      await exchange(dial(), `${lines.join("\r\n")}\r\n\r\n`);
      expectClean(service.seen(), caller, what);
    }
  });

  test("never reaches a service over HTTP/2", async () => {
    for (const { origin, host, credential, caller, what } of ways()) {
      const session = connectHttp2(origin, { rejectUnauthorized: false });
      const headers: OutgoingHttpHeaders = { ":authority": host, ...Object.fromEntries(credential) };
      for (const name of new Set(spoofed.map((each) => each.toLowerCase())))
        headers[name] = [mark, `${mark}2`];
      const stream = session.request(headers).resume();
      await once(stream, "end");
      session.destroy();
      expectClean(service.seen(), caller, what);
    }
  });

  test("never reaches a service in trailers", async () => {
    for (const { dial, origin, host, credential, caller, what } of ways()) {
      const own = credential.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const trailers = spoofed.map((name) => `${name}: ${mark}\r\n`).join("");
      await exchange(
        dial(),
        `POST / HTTP/1.1\r\nhost: ${host}\r\n${own}te: trailers\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n` +
          `1\r\nx\r\n0\r\n${trailers}\r\n`,
      );
      expectClean(service.seen(), caller, `${what} over HTTP/1.1`);
      const session = connectHttp2(origin, { rejectUnauthorized: false });
      const stream = session.request(
        { ":method": "POST", ":authority": host, ...Object.fromEntries(credential) },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-catalyst-caller": mark, "x-jwt-sub": mark }));
      stream.end("x");
      await once(stream.resume(), "end");
      session.destroy();
      expectClean(service.seen(), caller, `${what} over HTTP/2`);
    }
  });

  test("never reaches a service with a WebSocket's first request", async () => {
    for (const { dial, host, credential, caller, what } of ways()) {
      const own = credential.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const lines = spoofed.map((name) => `${name}: ${mark}\r\n`).join("");
      const request = `GET /ws HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n${own}${lines}\r\n`;
      const answer = await exchange(dial(), request);
      assert.match(answer, /^HTTP\/1\.1 101 /, what);
      expectClean(service.seen(), caller, what);
    }
  });

  test("opens no WebSocket without a credential", async () => {
    const { ingress } = envoy.mesh.listen;
    const request = `GET /ws HTTP/1.1\r\nhost: closed.${domain}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
    assert.match(await exchange(connect(ingress.port, "127.0.0.1"), request), /^HTTP\/1\.1 401 /);
    assert.equal(service.seen(), "");
  });
});

test("No path leads around a credential: not by dots, slashes, escapes, parameters or control characters", {
  skip: envoyMissing,
}, async () => {
  await using service = await startRawService();
  await using envoy = await startEnvoy({
    services: [{ name: "closed", protocol: "http", url: service.origin, timeoutMs: 5_000 }],
    mesh: { auth: { open: [] } },
    extra: compileCredentials(rulesOf([keys])),
  });
  assert("socketPath" in envoy.mesh.gateway);
  await using gateway = await startUpstream({ path: envoy.mesh.gateway.socketPath });
  const { ingress, egress } = envoy.mesh.listen;
  const ask = async (path: string) => {
    for (const [port, host] of [
      [ingress.port, "localhost"],
      [ingress.port, `closed.${domain}`],
      [egress.port, `closed.${domain}`],
    ] as const) {
      await exchange(
        connect(port, "127.0.0.1"),
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
      );
      assert.equal(service.seen(), "", path);
      assert.equal(gateway.requests(), 0, path);
    }
  };
  for (const path of misleadingPaths) await ask(path);
  await fc.assert(fc.asyncProperty(anyPath, ask), { numRuns: 100 });
});

/** A service that keeps what it is sent, byte for byte, and answers anything. */
type RawService = AsyncDisposable & {
  readonly origin: string;
  /** What came since it was last asked. */
  readonly seen: () => string;
};

async function startRawService(): Promise<RawService> {
  let seen = "";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.setEncoding("latin1").on("data", (text: string) => {
      seen += text;
      if (!text.includes("\r\n\r\n")) return;
      const upgrade = /^upgrade: websocket/im.test(text);
      socket.write(
        upgrade
          ? "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
          : "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
      );
      if (!upgrade) socket.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    seen: () => {
      const text = seen;
      seen = "";
      return text;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Sends bytes; resolves with the answer when it is complete or the connection ends. */
async function exchange(socket: Socket, bytes: string): Promise<string> {
  let answer = "";
  const ended = Promise.withResolvers<void>();
  socket.setEncoding("latin1").on("error", () => ended.resolve());
  socket.on("close", () => ended.resolve());
  socket.on("data", (text: string) => {
    answer += text;
    if (isComplete(answer)) ended.resolve();
  });
  socket.write(bytes, "latin1");
  await ended.promise;
  socket.destroy();
  return answer;
}

function isComplete(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  const length = /^content-length: (\d+)\r$/im.exec(answer)?.[1] ?? "0";
  return end >= 0 && answer.length >= end + 4 + Number(length);
}

function expectClean(seen: string, caller: string | undefined, what: string): void {
  assert.match(seen, /^(GET|POST) \/(ws)? HTTP\/1\.1\r\n/, what);
  assert(!seen.includes(mark), `${what}: ${seen}`);
  assert.deepEqual(
    [...seen.matchAll(/^x[-_]catalyst[-_][^:]*: (.*)$/gim)].map(([, value]) => value),
    caller === undefined ? [] : [caller],
    what,
  );
}

function certificate() {
  const read = (file: string) => readFileSync(join(import.meta.dirname, "certificates", file), "utf8");
  return { certificate: read("node.pem"), privateKey: read("node-key.pem") };
}
