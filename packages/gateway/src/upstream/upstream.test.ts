import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { scopeOf, silentEvents, targetOf } from "../testing/test-gateway.ts";
import { serveRaw } from "../testing/test-services.ts";
import { until } from "../testing/test-until.ts";
import {
  envoyReply,
  failureOf,
  query as request,
  subscription,
  withService,
} from "../testing/test-upstream.ts";
import { createUpstream } from "./upstream.ts";
import { upstreamOptions } from "./upstream-options.ts";

describe("a request to a service", () => {
  for (const [what, answer, code, message] of [
    [
      "an empty 503, as of a proxy",
      (r: ServerResponse) => r.writeHead(503).end(),
      "service_unavailable",
      "answered 503 to the request",
    ],
    [
      "a 504, as of a proxy",
      (r: ServerResponse) => r.writeHead(504).end("timeout"),
      "service_timeout",
      "answered 504 to the request",
    ],
    [
      "a page that is not there",
      (r: ServerResponse) => r.writeHead(404).end("no"),
      "service_bad_response",
      "answered 404 to the request",
    ],
    [
      "an answer that is too long",
      (r: ServerResponse) => r.end(`{"data":{"a":"${"x".repeat(3_000)}"}}`),
      "service_bad_response",
      "answered the request with more than 2000 bytes",
    ],
    [
      "a list",
      (r: ServerResponse) => r.end("[]"),
      "service_bad_response",
      "answered the request with something that is not GraphQL",
    ],
    [
      "errors that are none",
      (r: ServerResponse) => r.end(`{"errors":[{"no":1}]}`),
      "service_bad_response",
      "answered the request with something that is not GraphQL",
    ],
    [
      "Envoy's 503",
      (r: ServerResponse) => r.writeHead(503).end(envoyReply("SERVICE_UNAVAILABLE")),
      "service_unavailable",
      "could not be reached for the request",
    ],
    [
      "Envoy's 504",
      (r: ServerResponse) => r.writeHead(504).end(envoyReply("SERVICE_TIMEOUT")),
      "service_timeout",
      "did not answer the request in time",
    ],
    [
      "Envoy's 502",
      (r: ServerResponse) => r.writeHead(502).end(envoyReply("SERVICE_BAD_RESPONSE")),
      "service_bad_response",
      "answered the request with what is not HTTP",
    ],
    [
      "Envoy's 401",
      (r: ServerResponse) =>
        r.writeHead(401).end(envoyReply("UNAUTHENTICATED", "rbac_access_denied_matched_policy[none]")),
      "service_forbidden",
      "did not get the request: it came without a credential that is valid here",
    ],
    [
      "Envoy's 403",
      (r: ServerResponse) =>
        r.writeHead(403).end(envoyReply("FORBIDDEN", "rbac_access_denied_matched_policy[none]")),
      "service_forbidden",
      "did not get the request: the caller's credential does not cover it",
    ],
    [
      "Envoy's 503 without keys",
      (r: ServerResponse) => r.writeHead(503).end(envoyReply("AUTH_UNAVAILABLE")),
      "service_unavailable",
      "could not be reached: Envoy cannot verify the credential of the request yet",
    ],
    [
      "an answer that is compressed",
      (r: ServerResponse) => r.writeHead(200, { "content-encoding": "gzip" }).end("x"),
      "service_bad_response",
      "answered the request compressed, which was not asked for",
    ],
    [
      "an answer that says it is too long",
      (r: ServerResponse) => r.writeHead(200, { "content-length": 3_000 }).write("{"),
      "service_bad_response",
      "answered the request with more than 2000 bytes",
    ],
    [
      "Envoy's 503 for too many requests",
      (r: ServerResponse) => r.writeHead(503).end(envoyReply("SERVICE_OVERLOADED")),
      "service_unavailable",
      "has too many requests to take the request",
    ],
  ] as const) {
    it(`fails with ${code} for ${what}`, () =>
      withService(answer, async ({ upstream, target }) => {
        const failure = await failureOf(upstream.execute(target, request, scopeOf()));
        assert.deepEqual(failure, { code, message, service: "reviews" });
      }));
  }

  it("fails with service_unavailable when the connection breaks in the middle of the answer", () =>
    withService(
      (response) => {
        response.writeHead(200, { "content-length": 1000 }).write(`{"data":`);
        setTimeout(() => response.destroy(), 20);
      },
      async ({ upstream, target, outcomes }) => {
        const { code, message } = await failureOf(upstream.execute(target, request, scopeOf()));
        assert.equal(code, "service_unavailable");
        assert.match(message, /^could not be reached for the request: the connection broke \([A-Z_]+\)$/);
        assert.deepEqual(outcomes, ["unavailable"]);
      },
    ));

  it("is limited by timeoutMs until the last byte of the answer", () =>
    withService(
      (response) => response.writeHead(200).write(`{"data":`),
      async ({ upstream, target, outcomes }) => {
        const failure = await failureOf(upstream.execute(target, request, scopeOf()));
        assert.equal(failure.code, "service_timeout");
        assert.equal(failure.message, "did not answer the request within 100 ms");
        assert.deepEqual(outcomes, ["timeout"]);
      },
      { target: { timeoutMs: 100 } },
    ));

  it("takes errors of the service with any status for an answer", () =>
    withService(
      (response) => response.writeHead(500).end(`{"errors":[{"message":"no"}]}`),
      async ({ upstream, target, outcomes }) => {
        assert.deepEqual(await upstream.execute(target, request, scopeOf()), { errors: [{ message: "no" }] });
        assert.deepEqual(outcomes, ["ok"]);
      },
    ));

  it("takes a refusal in Envoy's words for an answer when it is the service's own", () => {
    const errors = [{ message: "who are you?", extensions: { code: "UNAUTHENTICATED" } }];
    return withService(
      (response) => response.writeHead(401).end(JSON.stringify({ errors })),
      async ({ upstream, target }) => {
        assert.deepEqual(await upstream.execute(target, request, scopeOf()), { errors });
      },
    );
  });

  it("is not held against the service when it was the credential that Envoy refused", () =>
    withService(
      (r) => r.writeHead(403).end(envoyReply("FORBIDDEN", "rbac_access_denied_matched_policy[none]")),
      async ({ upstream, target, failures, breaker, outcomes }) => {
        for (let i = 0; i < 30; i++) await failureOf(upstream.execute(target, request, scopeOf()));
        assert.equal(failures.reasonOf("reviews"), null);
        assert.deepEqual(breaker, []);
        assert.deepEqual(new Set(outcomes), new Set(["forbidden"]));
      },
    ));

  it("counts Envoy's answers by their outcome", () =>
    withService(
      (response) => response.writeHead(503).end(envoyReply("SERVICE_UNAVAILABLE")),
      async ({ upstream, target, outcomes }) => {
        await failureOf(upstream.execute(target, request, scopeOf()));
        assert.deepEqual(outcomes, ["unavailable"]);
      },
    ));

  it("passes on a hundred errors, says how many more there were, and shortens their messages", () =>
    withService(
      (response) => {
        const errors = Array.from({ length: 200_000 }, (_, i) => ({
          message: i === 0 ? "x".repeat(3_000) : `e${i}`,
        }));
        response.end(JSON.stringify({ errors, data: null }));
      },
      async ({ upstream, target }) => {
        const maxBytes = 64 * 1024 * 1024;
        const { errors } = await upstream.execute(target, { ...request, maxBytes }, scopeOf());
        assert.equal(errors?.length, 101);
        assert.equal(errors[0]?.message, `${"x".repeat(2_000)}…`);
        assert.equal(errors[100]?.message, 'Service "reviews" answered 199900 more errors.');
        assert.deepEqual(errors[100]?.extensions, { code: "ERRORS_LEFT_OUT" });
      },
    ));

  it("is cancelled with its scope", () =>
    withService(
      () => undefined,
      async ({ upstream, target, outcomes }) => {
        const { message } = await failureOf(
          upstream.execute(target, request, scopeOf({ signal: AbortSignal.abort() })),
        );
        assert.equal(message, "was not waited for: the request was cancelled");
        const timed = scopeOf({ signal: AbortSignal.timeout(30) });
        const failure = await failureOf(upstream.execute(target, request, timed));
        assert.equal(failure.code, "service_timeout");
        await until(() => outcomes.length === 2);
        assert.deepEqual(outcomes, ["cancelled", "cancelled"]);
      },
    ));

  it("fails with service_unavailable when nothing listens on egress, or none is known", async () => {
    await using upstream = createUpstream(silentEvents, upstreamOptions.parse({}));
    const unknown = await failureOf(upstream.execute(targetOf("reviews"), request, scopeOf()));
    assert.equal(unknown.code, "service_unavailable");
    const gone = await serveRaw(() => undefined);
    await gone.stop();
    upstream.useEgress({ host: "127.0.0.1", port: gone.port });
    const refused = await failureOf(upstream.execute(targetOf("reviews"), request, scopeOf()));
    assert.equal(refused.code, "service_unavailable");
    const message = "could not be reached for the request: nothing listens on egress (ECONNREFUSED)";
    assert.equal(refused.message, message);
  });

  it("goes over a Unix socket where that is the way to services, and says when nothing listens there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "egress-"));
    const socketPath = join(folder, "http.sock");
    const server = createServer((incoming, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: { host: incoming.headers.host } }));
    });
    await using upstream = createUpstream(silentEvents, upstreamOptions.parse({}));
    upstream.useEgress({ socketPath });
    const missing = await failureOf(upstream.execute(targetOf("reviews"), request, scopeOf()));
    assert.match(missing.message, /nothing listens on egress \(ENOENT\)/);
    await once(server.listen(socketPath), "listening");
    const target = targetOf("reviews");
    assert.deepEqual(await upstream.execute(target, request, scopeOf()), { data: { host: target.host } });
    server.closeAllConnections();
    await once(server.close(), "close");
    rmSync(folder, { recursive: true });
  });

  it("carries what the header rules give its service, and none of the headers that belong to another", () => {
    const seen: unknown[][] = [];
    return withService(
      (response, { headers }) => {
        seen.push([headers.host, headers["x-api-key"], headers["accept-encoding"]]);
        response.end(`{"data":{}}`);
      },
      async ({ upstream, target }) => {
        const headersFor = new Map([["billing", { "x-api-key": "b" }]]);
        const scope = scopeOf({ headers: { "x-api-key": "a" }, headersFor });
        await upstream.execute(target, request, scope);
        await upstream.execute({ ...target, name: "billing" }, request, scope);
        assert.deepEqual(seen, [
          [target.host, "a", "identity"],
          [target.host, "b", "identity"],
        ]);
      },
    );
  });

  it("that never stops answering is cut at the limit, without keeping more than that", () => {
    let sent = 0;
    return withService(
      (response) => {
        const fill = () => {
          if (response.destroyed) return;
          if (response.writableLength < 1_000_000) {
            response.write("x".repeat(100_000));
            sent += 100_000;
          }
          setImmediate(fill);
        };
        fill();
      },
      async ({ upstream, target, service }) => {
        const before = process.memoryUsage().rss;
        const { code, message } = await failureOf(upstream.execute(target, request, scopeOf()));
        assert.equal(code, "service_bad_response");
        assert.equal(message, "answered the request with more than 4000000 bytes");
        await until(() => service.open === 0);
        assert.ok(process.memoryUsage().rss - before < 200_000_000);
        assert.ok(sent < 50_000_000);
      },
      { options: { maxBytes: 4_000_000 } },
    );
  });

  it("ends on the old egress when the address changes meanwhile", () =>
    withService(
      (response) => setTimeout(() => response.end(`{"data":{"a":1}}`), 50),
      async ({ upstream, target }) => {
        await using other = await serveRaw((_, response) => void response.end(`{"data":{"a":2}}`));
        const first = upstream.execute(target, request, scopeOf());
        await new Promise((resolve) => setTimeout(resolve, 20));
        upstream.useEgress({ host: "127.0.0.1", port: other.port });
        assert.deepEqual(await upstream.execute(target, request, scopeOf()), { data: { a: 2 } });
        assert.deepEqual(await first, { data: { a: 1 } });
      },
    ));
});

describe("a subscription to a service", () => {
  it("fails with service_bad_response when the answer is no event stream, with the service's words", () =>
    withService(
      (response) => response.end(`{"errors":[{"message":"not over HTTP"}]}`),
      async ({ upstream, target }) => {
        const { code, message } = await failureOf(upstream.subscribe(target, subscription, scopeOf()));
        assert.equal(code, "service_bad_response");
        assert.equal(message, 'answered the subscription with "not over HTTP"');
      },
    ));

  it("may be quiet for longer than timeoutMs once it has begun", () =>
    withService(
      (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
        setTimeout(() => response.end(`event: next\ndata: {"data":{"a":1}}\n\nevent: complete\n\n`), 900);
      },
      async ({ upstream, target }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.deepEqual(await Array.fromAsync(results), [{ data: { a: 1 } }]);
      },
      { target: { timeoutMs: 500 } },
    ));

  it("breaks with service_unavailable when the stream ends without completing", () =>
    withService(
      (response) => response.writeHead(200, { "content-type": "text/event-stream" }).end(":\n\n"),
      async ({ upstream, target }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.equal((await failureOf(results.next())).code, "service_unavailable");
      },
    ));

  it("slows the service down when its results are not read", () => {
    let blocked = false;
    return withService(
      (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        const event = `data: {"data":{"a":"${"x".repeat(50_000)}"}}\n\n`;
        const fill = () => {
          if (response.destroyed) return;
          // Connections hold some megabytes; what the service cannot send stays with it.
          blocked = response.writableLength > 1_000_000;
          if (!blocked) response.write(event);
          setImmediate(fill);
        };
        fill();
      },
      async ({ upstream, target }) => {
        const client = new AbortController();
        const results = await upstream.subscribe(target, subscription, scopeOf({ signal: client.signal }));
        await until(() => blocked);
        for (let read = 0; read < 100; read++) assert.equal((await results.next()).done, false);
        client.abort();
      },
      { options: {} },
    );
  });

  it("breaks with service_bad_response when an event is garbage", () =>
    withService(
      (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write("data: nope\n\n"),
      async ({ upstream, target }) => {
        const results = await upstream.subscribe(target, subscription, scopeOf());
        assert.equal((await failureOf(results.next())).code, "service_bad_response");
      },
    ));
});
