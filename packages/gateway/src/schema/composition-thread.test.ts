import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, it } from "node:test";
import { GatewayError } from "../errors.ts";
import { type SchemaInput, type ServiceKind, serviceSchema } from "../service.ts";
import { openGateway, targetOf } from "../testing/test-gateway.ts";
import { productsSdl, reviewsSdl, serveInventory, serveRaw, subgraphSdl } from "../testing/test-services.ts";
import { ThreadComposer } from "./composition-thread.ts";

function inputs(schemas: Readonly<Record<string, readonly [ServiceKind, string]>>): SchemaInput[] {
  return Object.entries(schemas).map(([name, [kind, sdl]]) => ({
    target: targetOf(name),
    schema: serviceSchema(kind, sdl),
  }));
}

/** A subgraph with as many root fields. */
function wideSdl(fields: number): string {
  return subgraphSdl(
    `type Query { ${Array.from({ length: fields }, (_, i) => `f${i}(a: Int): ID`).join(" ")} }`,
  );
}

const wide = (fields: number) => inputs({ wide: ["federation", wideSdl(fields)] });
const shop = inputs({
  products: ["federation", subgraphSdl(productsSdl)],
  reviews: ["federation", subgraphSdl(reviewsSdl)],
  stock: ["plain", "type Query { stock: Int }"],
});

async function failureOf(composer: ThreadComposer, services: readonly SchemaInput[]): Promise<GatewayError> {
  const error = await composer.compose(services).then(
    () => assert.fail("it composed"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof GatewayError);
  assert.equal(error.code, "composition_failed");
  return error;
}

describe("composing in a thread", () => {
  it("gives what composing at once gives", async () => {
    await using thread = new ThreadComposer({ inlineChars: 0 });
    await using inline = new ThreadComposer({ inlineChars: Number.POSITIVE_INFINITY });
    const broken = inputs({ products: ["federation", "type Query {"] });
    const clashing = inputs({ a: ["plain", "type Query { x: Int }"], b: ["plain", "type Query { x: ID }"] });
    for (const services of [shop, broken, clashing]) {
      assert.deepEqual(await thread.compose(services), await inline.compose(services));
    }
  });

  it("leaves its caller's thread to others", async () => {
    await using composer = new ThreadComposer();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const started = performance.now();
    const composition = await composer.compose(wide(20_000));
    const tookMs = performance.now() - started;
    delay.disable();
    assert.ok(composition.ok);
    assert.ok(delay.max / 1e6 < tookMs / 2, `held up for ${delay.max / 1e6} of ${tookMs} ms`);
  });

  it("is given up when it takes too long, and begins anew with the next", async () => {
    await using composer = new ThreadComposer({ inlineChars: 2_000, timeoutMs: 300 });
    const { message } = await failureOf(composer, wide(40_000));
    assert.equal(message, "the schema takes longer than 300 ms to compose: make it smaller");
    assert.ok((await composer.compose(shop)).ok);
    await failureOf(composer, wide(40_000));
  });

  it("is given up when it takes too much memory", async () => {
    await using composer = new ThreadComposer({ maxMemoryMb: 40 });
    const { message } = await failureOf(composer, wide(40_000));
    assert.equal(message, "the schema takes more than 40 MiB of memory to compose: make it smaller");
  });

  it("fails when the thread is ended, and when the composer is", async () => {
    const composer = new ThreadComposer();
    const composing = failureOf(composer, wide(20_000));
    await composer[Symbol.asyncDispose]();
    assert.match((await composing).message, /ended the thread/);
  });
});

describe("a schema that cannot be composed in time", () => {
  const answer = JSON.stringify({ data: { _service: { sdl: wideSdl(40_000) } } });

  it("is left out and named with the reason; the others are served on", async () => {
    await using inventory = await serveInventory();
    await using huge = await serveRaw((_, response) => void response.end(answer));
    const composer = new ThreadComposer({ timeoutMs: 300 });
    await using gateway = await openGateway({}, { composer });
    const first = await gateway.apply({ inventory });
    const report = await gateway.apply({ inventory, huge });
    assert.equal(report.generation, first.generation);
    assert.deepEqual(
      report.services.map(({ name, state, reason }) => [name, state, reason]),
      [
        ["huge", "excluded", "the schema takes longer than 300 ms to compose: make it smaller"],
        ["inventory", "serving", null],
      ],
    );
    assert.ok((await gateway.query("{ stock(sku: 1) { count } }")).data);
  });

  it("is left out also where nothing was served before", async () => {
    await using inventory = await serveInventory();
    await using huge = await serveRaw((_, response) => void response.end(answer));
    const composer = new ThreadComposer({ timeoutMs: 300 });
    await using gateway = await openGateway({}, { composer });
    const { services } = await gateway.apply({ huge, inventory });
    assert.deepEqual(
      services.map(({ name, state }) => [name, state]),
      [
        ["huge", "excluded"],
        ["inventory", "serving"],
      ],
    );
  });
});
