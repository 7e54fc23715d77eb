import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultKey } from "@catalyst/xds";
import { compileCredentials } from "../src/auth.ts";
import { domain, rulesOf, testIssuer } from "./credentials.ts";
import { at, type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask, errorOf, startUpstream, type Upstream } from "./upstream.ts";

const keys = testIssuer("apikeys");
const headers = { "x-api-key": keys.issue() };
/** What a flood may add to Envoy's memory, and how slow it may make the request of another at the median. */
const moreMegabytes = 150;
const patienceMs = 500;

describe("Under a flood", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let large: AsyncDisposable & { readonly origin: string };
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    large = await startLargeService();
    const named = (name: string, url: string) => ({ name, protocol: "http" as const, url, timeoutMs: 5_000 });
    envoy = await startEnvoy({
      services: [named("products", upstream.origin), named("large", large.origin)],
      mesh: { auth: { open: [] }, accessLog: "none" },
    });
    envoy.xds.update(defaultKey, { upsert: compileCredentials(rulesOf([keys])) });
    await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 });
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await large[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  /** Others are served in their usual time while the flood runs, and memory stays within bounds. */
  const bear = async (context: TestContext, flood: () => Promise<readonly Disposable[]>) => {
    const before = residentMegabytes(envoy);
    const attackers = await flood();
    try {
      const times: number[] = [];
      for (let count = 0; count < 40; count++) {
        const began = performance.now();
        const { status } = await ask(envoy.mesh.listen.ingress.port, { host: `products.${domain}`, headers });
        assert.equal(status, 200);
        times.push(performance.now() - began);
        await sleep(10);
      }
      times.sort((a, b) => a - b);
      const grown = residentMegabytes(envoy) - before;
      const [median = 0, worst = 0] = [times[20], times.at(-1)];
      context.diagnostic(
        `${grown.toFixed(0)} MB more; others: median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms`,
      );
      assert(grown < moreMegabytes, `${grown} MB`);
      assert(median < patienceMs, `${median} ms`);
    } finally {
      for (const attacker of attackers) attacker[Symbol.dispose]();
    }
  };

  const open = async (count: number, write?: (socket: Socket) => void): Promise<Disposable[]> => {
    const sockets = Array.from({ length: count }, () => connect(envoy.mesh.listen.ingress.port, "127.0.0.1"));
    await Promise.all(
      sockets.map(async (socket) => {
        socket.on("error", () => socket.destroy());
        await once(socket, "connect");
        write?.(socket);
      }),
    );
    return sockets.map((socket) => ({ [Symbol.dispose]: () => socket.destroy() }));
  };

  test("of idle connections others are served, and memory is bounded", (context) =>
    bear(context, () => open(4_000)));

  test("of readers that never read others are served, and memory is bounded", (context) =>
    bear(context, () =>
      open(300, (socket) => {
        socket.pause();
        const credential = `x-api-key: ${headers["x-api-key"]}`;
        socket.write(`GET / HTTP/1.1\r\nhost: large.${domain}\r\n${credential}\r\n\r\n`);
      }),
    ));

  test("of requests whose headers never end others are served, and memory is bounded", (context) =>
    bear(context, () =>
      open(500, (socket) => {
        socket.write(`GET / HTTP/1.1\r\nhost: products.${domain}\r\n`);
        let sent = 0;
        const timer = setInterval(() => {
          if (socket.destroyed || sent > 5_000) return clearInterval(timer);
          for (let count = 0; count < 100; count++) socket.write(`x-${sent++}: ${"y".repeat(100)}\r\n`);
        }, 10);
        socket.on("close", () => clearInterval(timer));
      }),
    ));

  test("of streams that are opened and reset at once others are served, and who does it is cut off", async (context) => {
    const session = connectHttp2(`http://${at(envoy.mesh.listen.ingress)}`);
    let opened = 0;
    await bear(context, async () => {
      const timer = setInterval(() => {
        for (let count = 0; count < 200 && !session.destroyed; count++) opened += resetOne(session);
      }, 1);
      // Cut off, it may end with an error or without one.
      session.on("error", () => undefined).on("close", () => clearInterval(timer));
      return [{ [Symbol.dispose]: () => session.destroy() }];
    });
    context.diagnostic(`cut off after ${opened} streams`);
    assert(session.destroyed);
  });

  test("of bad credentials others are served, and memory is bounded", (context) =>
    bear(context, () => {
      const body = `GET / HTTP/1.1\r\nhost: products.${domain}\r\nx-api-key: `;
      return open(50, (socket) => {
        const send = () => {
          if (!socket.destroyed) socket.write(`${body}${keys.issue({ exp: 1 })}\r\n\r\n`);
        };
        socket.on("data", () => setTimeout(send, 20));
        send();
      });
    }));
});

test("At the bound of its memory Envoy answers 503, and serves again when there is room", {
  skip: envoyMissing,
}, async (context) => {
  await using large = await startLargeService();
  await using small = await startUpstream({ host: "127.0.0.1", port: 0 });
  const named = (name: string, url: string) => ({ name, protocol: "http" as const, url, timeoutMs: 5_000 });
  await using envoy = await startEnvoy({
    services: [named("large", large.origin), named("small", small.origin)],
    mesh: { accessLog: "none" },
    maxHeapBytes: 100_000_000,
  });
  const { port } = envoy.mesh.listen.ingress;
  const before = residentMegabytes(envoy);
  const readers: Socket[] = [];
  try {
    let answer = await ask(port, { host: `small.${domain}` });
    for (let round = 0; round < 100 && answer.status === 200; round++) {
      for (let count = 0; count < 40; count++) {
        const reader = connect(port, "127.0.0.1").on("error", () => undefined);
        readers.push(reader.pause());
        reader.write(`GET / HTTP/1.1\r\nhost: large.${domain}\r\n\r\n`);
      }
      await sleep(100);
      answer = await ask(port, { host: `small.${domain}` });
    }
    assert.deepEqual([answer.status, errorOf(answer).extensions["code"]], [503, "NODE_OVERLOADED"]);
    assert.equal(answer.headers["retry-after"], "1");
    const grown = residentMegabytes(envoy) - before;
    context.diagnostic(`${readers.length} readers that never read: ${grown.toFixed(0)} MB more`);
  } finally {
    // Paused, they notice no end of their connections, and would keep the process.
    for (const reader of readers) reader.destroy();
  }
  await until(async () => (await ask(port, { host: `small.${domain}` })).status === 200, 15_000);
});

/** Opens a stream and takes it back; 0 when there is no session any more. */
function resetOne(session: ClientHttp2Session): number {
  try {
    const stream = session.request({ ":authority": `products.${domain}`, ...headers });
    stream.on("error", () => undefined);
    stream.close(8);
    return 1;
  } catch {
    return 0;
  }
}

/** A service whose answers have no end for as long as somebody takes them. */
async function startLargeService(): Promise<AsyncDisposable & { readonly origin: string }> {
  const sockets = new Set<Socket>();
  const piece = Buffer.alloc(64 * 1024);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
      const fill = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", fill);
      fill();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function residentMegabytes({ child }: EnvoyUnderTest): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
  return (Number(kilobytes) * 1_024) / 1e6;
}
