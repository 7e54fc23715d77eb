import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { answerWithFetch } from "./fetch-listener.ts";

type Call = { readonly method?: string; readonly path?: string; readonly body?: string };

/** Serves one Fetch function on a port of its own, and calls it once. */
async function call(
  fetch: (request: Request) => Response | Promise<Response>,
  { method = "GET", path = "/", body }: Call = {},
): Promise<{ status: number; headers: IncomingMessage["headers"]; body: string }> {
  const server = createServer((incoming, outgoing) => void answerWithFetch({ fetch }, incoming, outgoing));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, method, path, headers: { "x-one": "1" }, agent: false }).end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const received = await text(response);
  server.close();
  return { status: response.statusCode ?? 0, headers: response.headers, body: received };
}

test("method, path, query, headers and body arrive, and status, headers and body return", async () => {
  const answer = await call(
    async (incoming) => {
      const { pathname, searchParams } = new URL(incoming.url);
      const parts = [incoming.method, pathname, searchParams.get("q"), incoming.headers.get("x-one")];
      return new Response([...parts, await incoming.text()].join(" "), {
        status: 201,
        headers: { etag: '"1"' },
      });
    },
    { method: "POST", path: "/a/b?q=2", body: "hello" },
  );
  assert.deepEqual([answer.status, answer.headers.etag, answer.body], [201, '"1"', "POST /a/b 2 1 hello"]);
});

test("several cookies stay several headers", async () => {
  const headers = new Headers([
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]);
  const answer = await call(() => new Response(null, { status: 204, headers }));
  assert.deepEqual([answer.status, answer.headers["set-cookie"]], [204, ["a=1", "b=2"]]);
});

test("HEAD is answered without the body, which is cancelled", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({ cancel: () => cancelled.resolve() });
  const answer = await call(() => new Response(body, { headers: { "content-length": "5" } }), {
    method: "HEAD",
  });
  assert.deepEqual([answer.headers["content-length"], answer.body], ["5", ""]);
  await cancelled.promise;
});

test("the body of a library's own Response is sent, though it is no ReadableStream", async () => {
  async function* body() {
    yield Buffer.from("one ");
    yield Buffer.from("two");
  }
  const foreign = { status: 200, headers: new Headers(), body: body() };
  const answer = await call(() => foreign as unknown as Response);
  assert.equal(answer.body, "one two");
});

test("a path that begins with two slashes stays a path", async () => {
  const answer = await call((incoming) => new Response(new URL(incoming.url).host), {
    path: "//elsewhere/x",
  });
  assert.match(answer.body, /^localhost:\d+$/);
});

test("the request's signal aborts when the client goes away, and the answer's body is cancelled", async () => {
  const aborted = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const failures: unknown[] = [];
  const fetch = (incoming: Request) => {
    incoming.signal.addEventListener("abort", () => aborted.resolve());
    return new Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
  };
  const server = createServer((incoming, outgoing) => {
    answerWithFetch({ fetch }, incoming, outgoing).catch((error: unknown) => failures.push(error));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const sent = request({ port: (server.address() as AddressInfo).port, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.destroy();
  await Promise.all([aborted.promise, cancelled.promise]);
  server.close();
  await once(server, "close");
  assert.deepEqual(failures, []);
});
