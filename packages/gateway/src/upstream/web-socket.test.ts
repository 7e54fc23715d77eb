import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import type { ServiceTarget } from "../service.ts";
import { scopeOf, silentEvents, targetOf } from "../testing/test-gateway.ts";
import { stop } from "../testing/test-services.ts";
import { until } from "../testing/test-until.ts";
import { envoyReply, failureOf, subscription } from "../testing/test-upstream.ts";
import { Deadline } from "./deadline.ts";
import { subOperation } from "./sub-operation.ts";
import type { Results } from "./subscription.ts";
import { createUpstream, type Upstream } from "./upstream.ts";
import { upstreamOptions } from "./upstream-options.ts";
import { openWebSocket } from "./web-socket.ts";

/** What a service heard of one connection. */
type Heard = { readonly request: IncomingMessage; readonly socket: WebSocket; readonly messages: string[] };

type Parts = {
  readonly upstream: Upstream;
  readonly target: ServiceTarget;
  readonly connections: Heard[];
  readonly posts: IncomingMessage[];
  readonly origin: string;
};

type Service = {
  /** Does not even acknowledge. */
  readonly silent?: boolean;
  /** What it does with messages besides acknowledging. */
  readonly hear?: (socket: WebSocket, type: string) => void;
  readonly protocol?: string;
  readonly subscriptions?: ServiceTarget["subscriptions"];
  readonly upgrade?: boolean;
  readonly maxBytes?: number;
  /** The answer to a POST. */
  readonly post?: readonly [number, string];
};

const say = (socket: WebSocket, message: object) => socket.send(JSON.stringify({ id: "1", ...message }));

/** A service that speaks GraphQL over WebSocket, with an upstream that reaches it. */
async function withSocketService(service: Service, test: (parts: Parts) => Promise<void>): Promise<void> {
  const { hear, protocol = "graphql-transport-ws", upgrade = true, post = [405, "no"] } = service;
  const connections: Heard[] = [];
  const posts: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    posts.push(request);
    response.writeHead(post[0]).end(post[1]);
  });
  const handleProtocols = () => protocol;
  const sockets = new WebSocketServer({ noServer: true, handleProtocols });
  if (upgrade) {
    server.on("upgrade", (request, raw, head) =>
      sockets.handleUpgrade(request, raw, head, (socket) => {
        const messages: string[] = [];
        connections.push({ request, socket, messages });
        socket.on("message", (data) => {
          messages.push(String(data));
          const { type } = JSON.parse(String(data));
          if (type === "connection_init" && service.silent !== true) say(socket, { type: "connection_ack" });
          hear?.(socket, type);
        });
      }),
    );
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await using upstream = createUpstream(
    silentEvents,
    upstreamOptions.parse({ maxBytes: service.maxBytes ?? 100_000 }),
  );
  upstream.useEgress({ host: "127.0.0.1", port });
  const { subscriptions = "websocket" } = service;
  const target = targetOf("reviews", { subscriptions, timeoutMs: 500 });
  try {
    await test({ upstream, target, connections, posts, origin: `ws://127.0.0.1:${port}` });
  } finally {
    for (const { socket } of connections) socket.terminate();
    await stop(server);
  }
}

const next = (a: unknown) => ({ type: "next", payload: { data: { a } } });

/** Sends results when it is subscribed to, and completes. */
const twoResults = (socket: WebSocket, type: string) => {
  if (type !== "subscribe") return;
  say(socket, next(1));
  say(socket, next(2));
  say(socket, { type: "complete" });
};

/** Sends as fast as it can what asks for an answer, and reads none. */
function floodUnread(socket: WebSocket, send: () => void): void {
  socket.pause();
  const some = () => {
    if (socket.readyState !== 1) return;
    for (let i = 0; i < 1_000 && socket.bufferedAmount < 1_000_000; i++) send();
    setImmediate(some);
  };
  some();
}

describe("a subscription over WebSocket", () => {
  it("is subscribed with its document, and gives the results in order until it is complete", () =>
    withSocketService({ hear: twoResults }, async ({ upstream, target, connections }) => {
      const operation = subOperation("subscription", "subscription A { a }", "A");
      const scope = scopeOf({ headers: { authorization: "Bearer x" } });
      const results = await upstream.subscribe(target, { operation, variables: { b: 1 } }, scope);
      assert.deepEqual(await Array.fromAsync(results), [{ data: { a: 1 } }, { data: { a: 2 } }]);
      const [heard] = connections;
      assert.equal(heard?.request.headers.host, target.host);
      assert.equal(heard?.request.headers.authorization, "Bearer x");
      assert.equal(heard?.request.headers["x-request-id"], scope.requestId);
      assert.equal(heard?.request.headers["content-type"], undefined);
      assert.deepEqual(JSON.parse(heard?.messages[1] ?? ""), {
        ...{ id: "1", type: "subscribe" },
        payload: { query: "subscription A { a }", operationName: "A", variables: { b: 1 } },
      });
      await until(() => heard?.socket.readyState === 3);
    }));

  it("is told to stop when its reader leaves, or its client does", () =>
    withSocketService({}, async ({ upstream, target, connections }) => {
      const client = new AbortController();
      const results = await upstream.subscribe(target, subscription, scopeOf({ signal: client.signal }));
      const pending = results.next();
      client.abort();
      assert.deepEqual(await pending, { done: true, value: undefined });
      await until(() => connections[0]?.socket.readyState === 3);
      assert.equal(JSON.parse(connections[0]?.messages.at(-1) ?? "").type, "complete");
    }));

  it("is sent once, however often the service acknowledges", () =>
    withSocketService(
      {
        hear: (socket, type) => {
          for (let i = 0; i < 10 && type === "subscribe"; i++) say(socket, { type: "connection_ack" });
        },
      },
      async ({ upstream, target, connections }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        await failureOf(results.next());
        await until(() => connections[0]?.socket.readyState === 3);
        const types = connections[0]?.messages.map((message) => JSON.parse(message).type);
        assert.deepEqual(types, ["connection_init", "subscribe", "complete"]);
      },
    ));

  it("ends with the errors that the service has for the operation", () =>
    withSocketService(
      {
        hear: (socket, type) =>
          type === "subscribe" && say(socket, { type: "error", payload: [{ message: "no such field" }] }),
      },
      async ({ upstream, target }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.deepEqual(await Array.fromAsync(results), [{ errors: [{ message: "no such field" }] }]);
      },
    ));

  it("answers the service's ping", () =>
    withSocketService(
      { hear: (socket, type) => type === "subscribe" && say(socket, { type: "ping" }) },
      async ({ upstream, target, connections }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        await until(() => connections[0]?.messages.at(-1) === `{"type":"pong"}`);
        await results.return();
      },
    ));

  it("speaks the older subprotocol with a service that has no other", () =>
    withSocketService(
      {
        protocol: "graphql-ws",
        hear: (socket, type) => {
          if (type !== "start") return;
          say(socket, { type: "ka" });
          say(socket, { ...next(1), type: "data" });
          say(socket, { type: "complete" });
        },
      },
      async ({ upstream, target }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.deepEqual(await Array.fromAsync(results), [{ data: { a: 1 } }]);
      },
    ));

  for (const [what, hear, code, message] of [
    [
      "closes the connection",
      (socket: WebSocket) => socket.close(4500, "broken"),
      "service_unavailable",
      "ended the subscription without completing it",
    ],
    [
      "breaks the connection",
      (socket: WebSocket) => socket.terminate(),
      "service_unavailable",
      "ended the subscription without completing it",
    ],
    [
      "sends what is no JSON",
      (socket: WebSocket) => socket.send("garbage"),
      "service_bad_response",
      "answered the request with something that is not GraphQL",
    ],
    [
      "sends a result that is none",
      (socket: WebSocket) => say(socket, { type: "next", payload: [] }),
      "service_bad_response",
      "answered the request with something that is not GraphQL",
    ],
    [
      "sends a result that is too long",
      (socket: WebSocket) => say(socket, next("x".repeat(5_000))),
      "service_bad_response",
      "answered the request with more than 2000 bytes",
    ],
    [
      "acknowledges once more",
      (socket: WebSocket) => say(socket, { type: "connection_ack" }),
      "service_bad_response",
      "answered the request with something that is not GraphQL",
    ],
    [
      "sends pings and does not read the answers",
      (socket: WebSocket) => floodUnread(socket, () => say(socket, { type: "ping" })),
      "service_bad_response",
      "does not read the answers to its pings",
    ],
    [
      "sends pings of WebSocket's own and does not read the answers",
      (socket: WebSocket) => floodUnread(socket, () => socket.ping("x".repeat(100))),
      "service_unavailable",
      "ended the subscription without completing it",
    ],
  ] as const) {
    it(`ends with ${code}, the service named, when it ${what}`, () =>
      withSocketService(
        { maxBytes: 2_000, hear: (socket, type) => void (type === "subscribe" && hear(socket)) },
        async ({ upstream, target }) => {
          const results = await upstream.subscribe(target, subscription, scopeOf());
          const failure = await failureOf(results.next());
          assert.deepEqual(failure, { code, message, service: "reviews" });
          assert.equal((await results.next()).done, true);
        },
      ));
  }

  it("fails to begin with service_timeout when it is not acknowledged in time", () =>
    withSocketService({ silent: true }, async ({ upstream, target, connections }) => {
      const { code, message } = await failureOf(upstream.subscribe(target, subscription, scopeOf()));
      assert.equal(code, "service_timeout");
      assert.equal(message, "did not answer the request within 500 ms");
      await until(() => connections[0]?.socket.readyState === 3);
    }));

  it("fails to begin with the service's refusal of the upgrade, and with Envoy's", async () => {
    await withSocketService({ upgrade: false }, async ({ upstream, target }) => {
      const { code, message } = await failureOf(upstream.subscribe(target, subscription, scopeOf()));
      assert.equal(code, "service_bad_response");
      assert.equal(message, "answered 405 to the request");
    });
    const post = [403, envoyReply("FORBIDDEN", "rbac_access_denied_matched_policy[none]")] as const;
    await withSocketService({ upgrade: false, post }, async ({ upstream, target }) => {
      const { code } = await failureOf(upstream.subscribe(target, subscription, scopeOf()));
      assert.equal(code, "service_forbidden");
    });
  });

  it("slows the service down when its results are not read", () => {
    const result = next("x".repeat(50_000));
    let stopped = false;
    const flood = (socket: WebSocket) => {
      const send = () => {
        if (stopped || socket.readyState !== 1) return;
        if (socket.bufferedAmount < 1_000_000) say(socket, result);
        setImmediate(send);
      };
      send();
    };
    return withSocketService(
      { hear: (socket, type) => void (type === "subscribe" && flood(socket)) },
      async ({ upstream, target, connections }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        // What cannot be sent stays with the service.
        await until(() => (connections[0]?.socket.bufferedAmount ?? 0) >= 1_000_000);
        for (let read = 0; read < 100; read++) assert.equal((await results.next()).done, false);
        stopped = true;
        await results.return();
      },
    );
  });

  it("ends when the service gives no sign of life, however quiet it may be", () =>
    withSocketService({}, async ({ target, connections, origin }) => {
      const deadline = new Deadline(1_000);
      const client = new AbortController();
      const open = (pingMs: number): Promise<{ readonly results: Results }> =>
        openWebSocket(
          origin,
          { target, label: "request" },
          { path: "/", headers: [], body: "{}" },
          { maxBytes: 1_000, deadline, signal: client.signal, pingMs },
        ) as Promise<{ readonly results: Results }>;
      const quiet = await open(20);
      const ended = quiet.results.next().then(() => "ended");
      assert.equal(
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 150))]),
        undefined,
      );
      const dead = await open(20);
      connections[1]?.socket.pause();
      const { code, message } = await failureOf(dead.results.next());
      assert.equal(code, "service_unavailable");
      assert.match(message, /the connection broke \(ETIMEDOUT\)$/);
      deadline[Symbol.dispose]();
      client.abort();
      assert.equal(await ended, "ended");
    }));
});

describe("a service whose transport for subscriptions is not set", () => {
  it("is asked for events first, then over WebSocket, and from then on over WebSocket", () =>
    withSocketService({ hear: twoResults, subscriptions: "auto" }, async ({ upstream, target, posts }) => {
      for (let i = 0; i < 2; i++) {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.equal((await Array.fromAsync(results)).length, 2);
        assert.equal(posts.length, 1);
      }
    }));

  it("fails with what it answered to the first when it can do neither", () =>
    withSocketService(
      { upgrade: false, subscriptions: "auto", post: [200, `{"errors":[{"message":"not over HTTP"}]}`] },
      async ({ upstream, target }) => {
        const { message } = await failureOf(upstream.subscribe(target, subscription, scopeOf()));
        assert.equal(message, 'answered the subscription with "not over HTTP"');
      },
    ));

  it("is not asked over WebSocket when it is not there, or does not admit the caller", () =>
    withSocketService(
      { subscriptions: "auto", post: [503, ""] },
      async ({ upstream, target, connections }) => {
        await failureOf(upstream.subscribe(target, subscription, scopeOf()));
        assert.equal(connections.length, 0);
      },
    ));
});
