import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { type DocumentNode, type ExecutionResult, parse, validate } from "graphql";
import { Composer } from "../../schema/composition.ts";
import { createSchemaFetch } from "../../schema/schema-source.ts";
import { scopeOf, silentEvents, targetOf } from "../../testing/test-gateway.ts";
import { serveEgress, type TestService } from "../../testing/test-services.ts";
import { createUpstream, type Upstream } from "../../upstream/upstream.ts";
import { upstreamOptions } from "../../upstream/upstream-options.ts";
import type { EngineSchema, GatewayEngine, OperationResult } from "../engine.ts";
import { differenceOf } from "./test-comparison.ts";
import { createMarket } from "./test-market.ts";
import { serveMarket } from "./test-market-services.ts";
import { createOracle, type Oracle, type OracleAnswer } from "./test-monolith.ts";
import type { TestOperation } from "./test-operations.ts";

export type CreateEngine = (upstream: Upstream) => GatewayEngine;

/** An engine over services, reached as in a node: by Host, through a proxy. */
export type Compiled = AsyncDisposable & {
  readonly services: Readonly<Record<string, TestService>>;
  readonly compiled: EngineSchema;
  execute(operation: TestOperation): Promise<ExecutionResult>;
};

/** Compiles the services as they describe themselves. They are stopped with the engine. */
export async function compileServices(
  createEngine: CreateEngine,
  services: Readonly<Record<string, TestService>>,
): Promise<Compiled> {
  const egress = await serveEgress();
  for (const [name, { port }] of Object.entries(services)) egress.routes.set(name, port);
  const upstream = createUpstream(silentEvents, upstreamOptions.parse({ connections: 16 }));
  upstream.useEgress(egress);
  const fetchSchema = createSchemaFetch(upstream, { maxBytes: 1_000_000 });
  const inputs = await Promise.all(
    Object.keys(services).map(async (name) => {
      const target = targetOf(name, { timeoutMs: 10_000 });
      return { target, schema: await fetchSchema(target, scopeOf()) };
    }),
  );
  const composition = new Composer().compose(inputs);
  assert.ok(composition.ok, JSON.stringify(composition));
  const compiled = await createEngine(upstream).compile(composition.input);
  return {
    services,
    compiled,
    execute: ({ query, variables }) =>
      compiled.execute({ document: parse(query), variables, scope: scopeOf() }).then(asJson),
    async [Symbol.asyncDispose]() {
      await upstream[Symbol.asyncDispose]();
      await egress[Symbol.asyncDispose]();
      await Promise.all(Object.values(services).map((service) => service.stop()));
    },
  };
}

/** The market behind an engine, and as one service beside it. */
export type MarketGateway = AsyncDisposable & {
  readonly gateway: Compiled;
  readonly oracle: Oracle;
  /** Asks both; throws with the operation and both answers when they differ. Returns the answer. */
  agree(operation: TestOperation): Promise<ExecutionResult>;
};

export async function openMarket(createEngine: CreateEngine): Promise<MarketGateway> {
  const market = createMarket();
  const own = createMarket();
  const gateway = await compileServices(createEngine, await serveMarket(market));
  const oracle = createOracle(own);
  return {
    gateway,
    oracle,
    async agree(operation) {
      const document = parse(operation.query);
      assert.deepEqual(validate(oracle.schema, document), []);
      market.reset();
      own.reset();
      for (const service of Object.values(gateway.services)) service.seen.length = 0;
      const isSubscription = document.definitions.some(
        (node) => node.kind === "OperationDefinition" && node.operation === "subscription",
      );
      const answers = isSubscription
        ? await oracle.events(document, operation.variables)
        : [await oracle.answer(document, operation.variables)];
      const actual = await inTime(
        isSubscription
          ? eventsOf(gateway.compiled, document, operation)
          : gateway.execute(operation).then((result) => [result]),
        operation,
      );
      for (const [i, answer] of answers.entries()) {
        const difference = differenceOf(actual[i] ?? {}, answer);
        if (difference !== null)
          assert.fail(await account(difference, operation, actual[i], answer, gateway));
      }
      assert.equal(actual.length, answers.length, `events of ${operation.query}`);
      return actual[0] ?? {};
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

/** An engine that loses an answer would hold the suite up. */
async function inTime<T>(answer: Promise<T>, { query }: TestOperation): Promise<T> {
  const done = new AbortController();
  const late = setTimeout(5_000, null, { signal: done.signal }).then(
    () => assert.fail(`No answer within 5 s to ${query}`),
    () => assert.fail("There was an answer."),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
    late.catch(() => undefined);
  }
}

async function eventsOf(compiled: EngineSchema, document: DocumentNode, { variables }: TestOperation) {
  const stream = await compiled.subscribe({ document, variables, scope: scopeOf() });
  if (!(Symbol.asyncIterator in stream)) return [asJson(stream)];
  const results: ExecutionResult[] = [];
  for await (const result of stream) results.push(asJson(result));
  return results;
}

/** All that tells why two answers differ. */
async function account(
  difference: string,
  operation: TestOperation,
  actual: ExecutionResult | undefined,
  { result }: OracleAnswer,
  { services, compiled }: Compiled,
): Promise<string> {
  const { query, variables } = operation;
  const requests = Object.entries(services).flatMap(([name, { seen }]) =>
    seen.map((one) => `${name}: ${one.query.replace(/\s+/g, " ")} ${JSON.stringify(one.variables)}`),
  );
  const plan = await compiled.explain?.({ document: parse(query), variables }).catch(String);
  const lines = [
    `The answers differ: ${difference}`,
    `operation: ${query}`,
    `variables: ${JSON.stringify(variables)}`,
    `expected:  ${JSON.stringify(result)}`,
    `actual:    ${JSON.stringify(actual)}`,
    `requests:\n  ${requests.join("\n  ")}`,
    ...(plan === undefined ? [] : [`plan: ${JSON.stringify(plan)}`]),
  ];
  return lines.join("\n");
}

/** The value as a client would read it. */
function asJson(value: OperationResult): ExecutionResult {
  return JSON.parse(JSON.stringify(value), (key, inner) => (key === "locations" ? undefined : inner));
}
