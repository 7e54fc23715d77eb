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

/** How many random operations are tried, from which seed, and for how long at the most. */
export type RandomRuns = { readonly count: number; readonly seed: number; readonly maxMs: number };

/** Where what an engine is made of departs from the specification, and no one here can mend it. */
export type Deviation = {
  readonly reason: string;
  /** Titles of cases that fail for it. Each must fail, so that the list tells what is so today. */
  readonly cases: readonly string[];
  /** What random operations leave out for it: `Type.field`, `... on Type`, `...` without a type, `@skip` for all conditions. */
  readonly leaveOut?: readonly string[];
};

export type FederationTrial = {
  readonly runs: RandomRuns;
  readonly knownDeviations: readonly Deviation[];
  /** For random operations: the engine without another one that answers what it cannot. */
  readonly alone?: {
    readonly createEngine: CreateEngine;
    /** Whether this is what it rejects with then. */
    readonly gaveUp: (error: unknown) => boolean;
  };
};

/** So many of the random operations an engine may give up when it is alone. */
const maxGivenUp = 0.2;

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
    for (const one of composedCases) check(one.title, () => tryComposed(createEngine, one));
    for (const kind of ["query", "mutation", "subscription"] as const) {
      it(`answers any ${kind} as one service with all the data would`, async () => {
        await using own = trial.alone === undefined ? null : await openMarket(trial.alone.createEngine);
        await agreeOnAll(own ?? market, kind, trial);
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
    services[name] = await serveFederated(`${linkTo("key external")} ${sdl}`, resolvers);
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
  { runs: { count, seed, maxMs }, knownDeviations, alone }: FederationTrial,
): Promise<void> {
  const leftOut = new Set(knownDeviations.flatMap(({ leaveOut }) => leaveOut ?? []));
  const numRuns = Math.ceil(count * shares[kind]);
  let givenUp = 0;
  const property = fc.asyncProperty(operationsOf(market.oracle.schema, kind, leftOut), async (operation) => {
    try {
      await market.agree(operation);
    } catch (error) {
      if (alone?.gaveUp(error) !== true) throw error;
      givenUp += 1;
    }
  });
  await fc.assert(property, { numRuns, seed, interruptAfterTimeLimit: maxMs * shares[kind] });
  assert.ok(givenUp <= Math.ceil(numRuns * maxGivenUp), `${givenUp} of ${numRuns} were given up`);
}

function sorted(schema: GraphQLSchema): string {
  return printSchema(lexicographicSortSchema(schema));
}
