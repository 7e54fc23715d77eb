import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { ExecutionResult } from "graphql";
import type { GatewayEngine } from "../engine/engine.ts";
import { createTypescriptEngine } from "../engine/planned/planned-engine.ts";
import { openGateway, type TestGateway } from "../testing/test-gateway.ts";
import { serveProducts } from "../testing/test-services.ts";
import { codeOf, json, post, withShop } from "../testing/test-shop.ts";
import { until } from "../testing/test-until.ts";
import type { Upstream } from "../upstream/upstream.ts";

describe("GraphQL over HTTP", () => {
  it("answers in the media type that the client accepts", () =>
    withShop(async (shop) => {
      for (const accept of ["application/json", "application/graphql-response+json"]) {
        const response = await post(shop, { query: "{ __typename }" }, { accept });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), `${accept}; charset=utf-8`);
        assert.deepEqual(await response.json(), { data: { __typename: "Query" } });
      }
    }));

  it("has status 400 for an invalid operation in application/graphql-response+json, 200 in application/json", () =>
    withShop(async (shop) => {
      const accept = "application/graphql-response+json";
      assert.equal((await post(shop, { query: "{ nope }" }, { accept })).status, 400);
      assert.equal((await post(shop, { query: "{ nope }" }, { accept: "application/json" })).status, 200);
    }));

  it("takes a query by GET, and no mutation", () =>
    withShop(async (shop) => {
      const query = await fetch(`${shop.url}?query=${encodeURIComponent("{ product(id: 1) { name } }")}`);
      assert.deepEqual(await query.json(), { data: { product: { name: "Anvil" } } });
      const rename = encodeURIComponent('mutation { rename(id: 1, name: "X") { name } }');
      const mutation = await fetch(`${shop.url}?query=${rename}`);
      assert.equal(mutation.status, 405);
      assert.equal(shop.products.seen.filter(({ query }) => query.includes("rename")).length, 0);
    }));

  it("runs the operation that operationName selects, with its variables", () =>
    withShop(async (shop) => {
      const query = "query A { products { id } } query B($id: ID!) { product(id: $id) { name } }";
      const response = await post(shop, { query, operationName: "B", variables: { id: "2" } });
      assert.deepEqual(await response.json(), { data: { product: { name: "Rope" } } });
    }));

  it("refuses a body that a web page may send to another site without asking", () =>
    withShop(async (shop) => {
      const query = "{ __typename }";
      for (const [type, body] of [
        ["text/plain", JSON.stringify({ query })],
        ["application/x-www-form-urlencoded", `query=${encodeURIComponent(query)}`],
        ["multipart/form-data; boundary=x", "--x--"],
        ["application/graphql", query],
      ] as const) {
        const response = await fetch(shop.url, { method: "POST", headers: { "content-type": type }, body });
        assert.equal(response.status, 415, type);
        assert.equal(await codeOf(response), "UNSUPPORTED_MEDIA_TYPE");
      }
    }));

  it("answers several operations in one request in their order, each by itself", () =>
    withShop(async (shop) => {
      const response = await post(shop, [
        { query: "{ product(id: 2) { name } }" },
        { query: "{ nope }" },
        { query: 'mutation { rename(id: 1, name: "X") { name } }' },
        { query: "subscription { reviewAdded { body } }" },
        7,
      ]);
      assert.equal(response.status, 200);
      const [product, nope, rename, subscription, number] = (await response.json()) as ExecutionResult[];
      assert.deepEqual(product, { data: { product: { name: "Rope" } } });
      assert.deepEqual(rename, { data: { rename: { name: "X" } } });
      const codes = [nope, subscription, number].map((answer) => answer?.errors?.[0]?.extensions?.["code"]);
      assert.deepEqual(codes, ["GRAPHQL_VALIDATION_FAILED", "NOT_ACCEPTABLE", "BAD_REQUEST"]);
    }));

  for (const [maxBatch, length] of [
    [10, 11],
    [10, 0],
    [0, 1],
  ] as const) {
    it(`refuses ${length} operations in one request where maxBatch is ${maxBatch}`, () =>
      withShop(
        async (shop) => {
          const response = await post(shop, Array(length).fill({ query: "{ products { id } }" }));
          assert.equal(response.status, 400);
          assert.equal(await codeOf(response), "BATCH_TOO_LONG");
          assert.equal(shop.products.seen.length, 0);
        },
        { maxBatch },
      ));
  }

  it("refuses a body that is too long, also without a length in front", () =>
    withShop(
      async (shop) => {
        const long = { query: `{ __typename } #${"x".repeat(2_000)}` };
        const response = await post(shop, long);
        assert.equal(response.status, 413);
        assert.equal(await codeOf(response), "BODY_TOO_LONG");
        const chunked = (value: object) => {
          const body = new Blob([JSON.stringify(value)]).stream();
          return fetch(shop.url, { method: "POST", headers: json, body, duplex: "half" } as RequestInit);
        };
        assert.equal((await chunked(long)).status, 413);
        assert.deepEqual(await (await chunked({ query: "{ __typename }" })).json(), {
          data: { __typename: "Query" },
        });
      },
      { maxBodyBytes: 1_024 },
    ));

  it("refuses a body that is compressed, or not in UTF-8", () =>
    withShop(async (shop) => {
      for (const headers of [
        { "content-encoding": "gzip" },
        { "content-type": "application/json; charset=utf-16" },
      ]) {
        const response = await post(shop, { query: "{ __typename }" }, headers as Record<string, string>);
        assert.equal(response.status, 415);
        assert.equal(await codeOf(response), "UNSUPPORTED_MEDIA_TYPE");
      }
      const utf8 = { "content-type": "application/json; charset=UTF-8" };
      assert.equal((await post(shop, { query: "{ __typename }" }, utf8)).status, 200);
    }));

  it("bears a body that comes in small pieces, and refuses one that takes longer than bodyTimeoutMs", () =>
    withShop(
      async (shop) => {
        const pieces = async function* (pauseMs: number) {
          for (const piece of ['{"query"', ': "{ __', 'typename }"}']) {
            await setTimeout(pauseMs);
            yield new TextEncoder().encode(piece);
          }
        };
        const send = (pauseMs: number) =>
          fetch(shop.url, {
            method: "POST",
            headers: json,
            body: Readable.toWeb(Readable.from(pieces(pauseMs))),
            duplex: "half",
          } as RequestInit);
        assert.deepEqual(await (await send(10)).json(), { data: { __typename: "Query" } });
        const { hostname, port } = new URL(shop.url);
        const socket = connect({ host: hostname, port: Number(port) });
        const head =
          "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90";
        socket.write(`${head}\r\n\r\n{`);
        const answer = (await socket.toArray()).join("");
        assert.match(answer, /^HTTP\/1.1 408 /);
        assert.match(answer, /BODY_TOO_SLOW/);
      },
      { bodyTimeoutMs: 300 },
    ));

  it("takes a GET's variables as JSON, and refuses what is none", () =>
    withShop(async (shop) => {
      const query = encodeURIComponent("query ($id: ID!) { product(id: $id) { name } }");
      const get = (variables: string) =>
        fetch(`${shop.url}?query=${query}&variables=${encodeURIComponent(variables)}`);
      assert.deepEqual(await (await get('{"id": 2}')).json(), { data: { product: { name: "Rope" } } });
      for (const wrong of ["{", "[]", "7"]) {
        const response = await get(wrong);
        assert.equal(response.status, 400, wrong);
        assert.equal(await codeOf(response), "BAD_REQUEST");
      }
    }));

  it("has status 400 in application/graphql-response+json for variables that do not fit, and 200 for partial data", () =>
    withShop(async (shop) => {
      const accept = "application/graphql-response+json";
      const query = "query ($id: ID!) { product(id: $id) { name } }";
      assert.equal((await post(shop, { query }, { accept })).status, 400);
      await shop.products.stop();
      const partial = await post(shop, { query: "{ reviews { body product { name } } }" }, { accept });
      assert.equal(partial.status, 200);
    }));

  it("prefers what the client prefers, and refuses what it does not have", () =>
    withShop(async (shop) => {
      for (const [accept, type] of [
        ["application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"],
        ["application/json, application/graphql-response+json;q=0.5", "application/json"],
        [
          "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
          "application/graphql-response+json",
        ],
        ["text/html, */*;q=0.1", "application/json"],
        ["application/*", "application/json"],
      ] as const) {
        const response = await post(shop, { query: "{ __typename }" }, { accept });
        assert.equal(response.headers.get("content-type"), `${type}; charset=utf-8`, accept);
      }
      for (const accept of ["text/plain", "application/json;q=0"]) {
        const response = await post(shop, { query: "{ __typename }" }, { accept });
        assert.equal(response.status, 406, accept);
        assert.equal(await codeOf(response), "NOT_ACCEPTABLE");
      }
      const { status } = await post(shop, { query: "subscription { reviewAdded { body } }" });
      assert.equal(status, 406);
    }));

  it("refuses what is no request, with a reason", () =>
    withShop(async (shop) => {
      assert.equal((await fetch(shop.url, { method: "POST", headers: json, body: "{" })).status, 400);
      assert.equal((await post(shop, {})).status, 400);
      assert.equal((await fetch(shop.url, { method: "DELETE" })).status, 405);
      const elsewhere = await fetch(new URL("/other", shop.url));
      assert.equal(elsewhere.status, 404);
      assert.equal(await codeOf(elsewhere), "NOT_FOUND");
    }));

  it("answers 503 while nothing is served, naming the services and why", async () => {
    await using shop = await openGateway();
    const empty = await post(shop, { query: "{ __typename }" });
    assert.equal(empty.status, 503);
    assert.equal(await codeOf(empty), "NO_SERVICE");
    await shop.apply({ products: null });
    const degraded = (await (await post(shop, { query: "{ a }" })).json()) as { errors: unknown[] };
    assert.deepEqual(degraded.errors, [
      {
        message: "None of the registered GraphQL services can be served.",
        extensions: {
          code: "NO_SERVICE",
          unavailableServices: [{ service: "products", reason: "answered 404 to the schema request" }],
        },
      },
    ]);
  });
});

describe("a request's way", () => {
  it("carries its id and the forwarded headers to every service, and no others", () =>
    withShop(async (shop) => {
      const given = {
        "x-request-id": "req-7",
        authorization: "Bearer t",
        "accept-language": "de",
        traceparent: "00-1-2-01",
        cookie: "a=b",
        "x-secret": "s",
      };
      const response = await post(shop, { query: "{ reviews { product { name } } }" }, given);
      assert.equal(response.headers.get("x-request-id"), "req-7");
      const seen = [...shop.reviews.seen, ...shop.products.seen];
      assert.equal(seen.length, 2);
      for (const { headers } of seen) {
        const { "x-request-id": id, authorization, "accept-language": language, traceparent } = headers;
        assert.deepEqual(
          [id, authorization, language, traceparent],
          ["req-7", "Bearer t", "de", "00-1-2-01"],
        );
        assert.equal(headers.cookie, undefined);
        assert.equal(headers["x-secret"], undefined);
      }
    }));

  it("has an id of its own when the client gives none, or one that would not do in a log", () =>
    withShop(async (shop) => {
      for (const headers of [{}, { "x-request-id": 'a"b c' }, { "x-request-id": "x".repeat(500) }]) {
        const response = await post(shop, { query: "{ __typename }" }, headers);
        assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
      }
    }));

  it("leaves one line in the log, and counts in the metrics", () =>
    withShop(async (shop) => {
      await post(shop, { query: "query Names { products { name } }" }, { "x-request-id": "req-8" });
      await post(shop, { query: "{ nope }" });
      await until(() => shop.log.filter(({ msg }) => msg === "request").length === 2);
      const { requestId, operationName, operationType, outcome, status, generation, durationMs } =
        shop.log.find((line) => line["requestId"] === "req-8") ?? {};
      assert.deepEqual(
        { requestId, operationName, operationType, outcome, status, generation },
        {
          requestId: "req-8",
          operationName: "Names",
          operationType: "query",
          outcome: "ok",
          status: 200,
          generation: 1,
        },
      );
      assert.equal(typeof durationMs, "number");
      const text = await shop.metrics.text();
      for (const line of [
        /gateway_requests_total\{type="query",outcome="ok"\} 1/,
        /gateway_requests_total\{type="none",outcome="refused"\} 1/,
        /gateway_request_duration_seconds_count\{type="query"\} 1/,
        /gateway_subrequests_total\{service="products",outcome="ok"\} 2/,
        /gateway_generation 1/,
        /gateway_services\{state="serving"\} 2/,
        /gateway_running 0/,
      ]) {
        assert.match(text, line);
      }
    }));

  it("hides what broke inside the gateway, and logs it under the request's id", async () => {
    const engine = (upstream: Upstream): GatewayEngine => {
      const { name, compile } = createTypescriptEngine(upstream);
      return {
        name,
        async compile(input) {
          const compiled = await compile(input);
          return {
            ...compiled,
            execute: () => Promise.reject(new RangeError("secret: disk 7")),
            subscribe: (operation) => compiled.subscribe(operation),
          };
        },
      };
    };
    await withShop(
      async (shop) => {
        const response = await post(shop, { query: "{ products { id } }" }, { "x-request-id": "req-9" });
        const text = await response.text();
        assert.doesNotMatch(text, /secret/);
        assert.match(text, /INTERNAL_SERVER_ERROR/);
        await until(() =>
          shop.log.some((line) => line["requestId"] === "req-9" && line["err"] !== undefined),
        );
        assert.match(JSON.stringify(shop.log), /secret: disk 7/);
      },
      {},
      { engine },
    );
  });

  it("is limited as a whole by requestTimeoutMs, and the answer names the service that was waited for", async () => {
    await using products = await serveProducts(0, 5_000);
    await using shop = await openGateway({ requestTimeoutMs: 100 });
    await shop.apply({ products }, { products: { timeoutMs: 10_000 } });
    const { errors } = await shop.query('mutation { rename(id: 1, name: "X") { name } }');
    assert.deepEqual(errors?.[0]?.extensions, { code: "SERVICE_TIMEOUT", service: "products" });
  });

  it("ends its sub-requests when the client leaves, but lets a mutation run to its end", async () => {
    await using products = await serveProducts(0, 300);
    await using shop = await openGateway();
    await shop.apply({ products });
    const leave = new AbortController();
    const body = JSON.stringify({ query: 'mutation { rename(id: 1, name: "Kept") { name } }' });
    const gone = fetch(shop.url, { method: "POST", headers: json, body, signal: leave.signal });
    await until(() => products.open === 1);
    leave.abort();
    await assert.rejects(gone);
    await until(() => products.open === 0);
    assert.deepEqual((await shop.query("{ product(id: 1) { name } }")).data, { product: { name: "Kept" } });
  });
});

describe("a client that leaves in the middle of its request", () => {
  for (const [what, head] of [
    ["with a length", "content-length: 1000"],
    ["in chunks", "transfer-encoding: chunked"],
  ] as const) {
    it(`${what} is no failure of the gateway, which goes on`, () =>
      withShop(async (shop) => {
        const { hostname, port } = new URL(shop.url);
        const socket = connect({ host: hostname, port: Number(port) });
        await once(socket, "connect");
        socket.write(
          `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}\r\n\r\n`,
        );
        socket.write('10\r\n{"query":');
        await setTimeout(50);
        socket.destroy();
        await setTimeout(50);
        assert.deepEqual((await shop.query("{ __typename }")).data, { __typename: "Query" });
        assert.deepEqual(
          shop.log.filter(({ level }) => level === "error"),
          [],
        );
        assert.match(await shop.metrics.text(), /gateway_running 0/);
      }));
  }
});

describe("switches", () => {
  const page = (shop: TestGateway) => fetch(shop.url, { headers: { accept: "text/html" } });

  it("serve GraphiQL to browsers from the package, without anything from elsewhere", () =>
    withShop(
      async (shop) => {
        const response = await page(shop);
        assert.equal(response.status, 200);
        assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
        const html = await response.text();
        assert.match(html, /<title>Catalyst/);
        assert.doesNotMatch(html, /<(?:script|link)[^>]+(?:src|href)="(?:https?:)?\/\//);
        const etag = response.headers.get("etag") ?? "";
        const again = await fetch(shop.url, { headers: { accept: "text/html", "if-none-match": etag } });
        assert.equal(again.status, 304);
        const plain = await fetch(shop.url, {
          headers: { accept: "text/html", "accept-encoding": "identity" },
        });
        assert.equal(plain.headers.get("content-encoding"), null);
        assert.equal(await plain.text(), html);
      },
      { graphiql: true },
    ));

  it("serve no GraphiQL by default", () =>
    withShop(async (shop) => {
      const response = await page(shop);
      assert.notEqual(response.status, 200);
      assert.doesNotMatch(await response.text(), /<html/i);
    }));

  it("answer introspection by default, and not when it is off", async () => {
    const query = "{ __schema { queryType { name } } }";
    await withShop(async (shop) => {
      assert.deepEqual((await shop.query(query)).data, { __schema: { queryType: { name: "Query" } } });
    });
    await withShop(
      async (shop) => {
        assert.match((await shop.query(query)).errors?.[0]?.message ?? "", /introspection/i);
        assert.deepEqual((await shop.query("{ __typename }")).data, { __typename: "Query" });
      },
      { introspection: false },
    );
  });
});
