import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from "graphql";
import type { TestService } from "../../testing/test-services.ts";
import { type ComposedCase, composedCases } from "./test-composed-cases.ts";
import { executionCases, federationCases, type MarketCase } from "./test-market-cases.ts";
import { type CreateEngine, compileServices, type MarketGateway, openMarket } from "./test-market-gateway.ts";
import { linkTo } from "./test-market-schema.ts";
import { serveFederated } from "./test-market-services.ts";
import { type OperationKind, operationsOf } from "./test-operations.ts";
import { planningCases } from "./test-planning-cases.ts";

/** How many random operations are tried, from which seed, and for how long at the most. */
export type RandomRuns = { readonly count: number; readonly seed: number; readonly maxMs: number };

/** Where what an engine is made of departs from the specification, and no one here can mend it. */
export type Deviation = {
  readonly reason: string;
  /** Titles of cases that fail for it. Each must fail, so that the list tells what is so today. */
  readonly cases: readonly string[];
};

export type FederationTrial = {
  readonly runs: RandomRuns;
  readonly knownDeviations: readonly Deviation[];
};

/** What every engine makes of federation, tried on a market of six subgraphs beside one service that has all. */
export function federationContract(name: string, createEngine: CreateEngine, trial: FederationTrial): void {
  const { knownDeviations } = trial;
  describe(`the engine ${name}: federation`, () => {
    let market: MarketGateway;
    before(async () => {
      market = await openMarket(createEngine);
    });
    after(() => market[Symbol.asyncDispose]());
    const check = (title: string, run: () => Promise<void>) => {
      const deviation = knownDeviations.find(({ cases }) => cases.includes(title));
      if (deviation === undefined) it(title, run);
      else
        it(`does not yet: ${title} (${deviation.reason})`, () => assert.rejects(run, assert.AssertionError));
    };

    check("shows clients the schema that the subgraphs make together", async () => {
      assert.equal(sorted(market.gateway.compiled.schema), sorted(market.oracle.schema));
    });
    for (const one of [...federationCases, ...executionCases]) check(one.title, () => tryCase(market, one));
    for (const one of [...composedCases, ...planningCases])
      check(one.title, () => tryComposed(createEngine, one));
    for (const kind of ["query", "mutation", "subscription"] as const) {
      it(`answers any ${kind} as one service with all the data would`, async () => {
        await agreeOnAll(market, kind, trial.runs);
      });
    }
  });
}

async function tryCase(
  market: MarketGateway,
  { query, variables = {}, spares = [] }: MarketCase,
): Promise<void> {
  await market.agree({ query, variables });
  for (const name of spares) assert.deepEqual(market.gateway.services[name]?.seen, [], `${name} was asked`);
}

async function tryComposed(createEngine: CreateEngine, one: ComposedCase): Promise<void> {
  const services: Record<string, TestService> = {};
  for (const [name, { sdl, resolvers }] of Object.entries(one.services)) {
    services[name] = await serveFederated(
      `${linkTo("key external shareable requires provides override interfaceObject inaccessible")} ${sdl}`,
      resolvers,
    );
  }
  await using gateway = await compileServices(createEngine, services);
  for (const { seen } of Object.values(services)) seen.length = 0;
  const { data, errors = [] } = await gateway.execute(one.operation);
  assert.equal(JSON.stringify(data), JSON.stringify(one.data));
  assert.deepEqual(
    errors.map(({ path }) => path),
    one.errors ?? [],
  );
  for (const [name, times] of Object.entries(one.asked ?? {}))
    assert.equal(services[name]?.seen.length, times);
}

const shares = { query: 0.7, mutation: 0.2, subscription: 0.1 };

async function agreeOnAll(
  market: MarketGateway,
  kind: OperationKind,
  { count, seed, maxMs }: RandomRuns,
): Promise<void> {
  const numRuns = Math.ceil(count * shares[kind]);
  const property = fc.asyncProperty(operationsOf(market.oracle.schema, kind), async (operation) => {
    await market.agree(operation);
  });
  await fc.assert(property, { numRuns, seed, interruptAfterTimeLimit: maxMs * shares[kind] });
}

function sorted(schema: GraphQLSchema): string {
  return printSchema(lexicographicSortSchema(schema));
}
