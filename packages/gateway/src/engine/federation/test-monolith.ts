import { setImmediate } from "node:timers/promises";
import {
  type DocumentNode,
  defaultFieldResolver,
  type ExecutionResult,
  execute,
  type GraphQLOutputType,
  type GraphQLSchema,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  subscribe,
} from "graphql";
import { createSchema } from "graphql-yoga";
import type { Market } from "./test-market.ts";
import { marketResolvers, marketScalars } from "./test-market-resolvers.ts";
import { marketSdl } from "./test-market-schema.ts";
import { subscriptionsOf } from "./test-market-services.ts";

/** One answer, and where anything failed on the way to it: also where no error tells, since another error did. */
export type OracleAnswer = { readonly result: ExecutionResult; readonly failures: ReadonlySet<string> };

/** The market as one service, executed by graphql-js: what any engine over its parts has to answer. */
export type Oracle = {
  readonly schema: GraphQLSchema;
  answer(document: DocumentNode, variables: Readonly<Record<string, unknown>>): Promise<OracleAnswer>;
  /** The answers to all events of a subscription. */
  events(document: DocumentNode, variables: Readonly<Record<string, unknown>>): Promise<OracleAnswer[]>;
};

type Failing = { failures: Set<string> };

export function createOracle(market: Market): Oracle {
  const { Media, Product, ...types } = marketResolvers(market);
  const resolvers = {
    ...types,
    Product: { ...Product },
    Book: { ...Media },
    Film: { ...Media },
    ...marketScalars,
  };
  const schema = createSchema<Failing>({
    typeDefs: marketSdl,
    resolvers: { ...resolvers, ...subscriptionsOf(market, marketSdl) } as NonNullable<
      Parameters<typeof createSchema<Failing>>[0]["resolvers"]
    >,
  });
  for (const type of Object.values(schema.getTypeMap())) if (isObjectType(type)) recordFailures(type);
  return {
    schema,
    async answer(document, variableValues) {
      const failures = new Set<string>();
      const contextValue: Failing = { failures };
      const result = await execute({ schema, document, variableValues, contextValue });
      // Fields beside one that failed go on for a moment after the answer.
      await setImmediate();
      return { result, failures };
    },
    async events(document, variableValues) {
      const contextValue: Failing = { failures: new Set() };
      const stream = await subscribe({ schema, document, variableValues, contextValue });
      if (!(Symbol.asyncIterator in stream)) return [{ result: stream, failures: contextValue.failures }];
      const answers: OracleAnswer[] = [];
      for await (const result of stream) {
        await setImmediate();
        answers.push({ result, failures: contextValue.failures });
        contextValue.failures = new Set();
      }
      return answers;
    },
  };
}

type ObjectType = Extract<ReturnType<GraphQLSchema["getTypeMap"]>[string], { getInterfaces(): unknown }>;

/** Every field gets a turn, since none settles at once, and says when it failed. */
function recordFailures(type: ObjectType): void {
  if (!("isTypeOf" in type) || type.name.startsWith("__")) return;
  for (const field of Object.values(type.getFields())) {
    const resolve = field.resolve ?? defaultFieldResolver;
    field.resolve = async (source, args, context: Failing, info) => {
      const path: (string | number)[] = [];
      for (let step: typeof info.path | undefined = info.path; step !== undefined; step = step.prev)
        path.unshift(step.key);
      const { failures } = context;
      try {
        const value = await resolve(source, args, context, info);
        for (const failure of failuresIn(value, info.returnType, path)) failures.add(failure);
        return value;
      } catch (error) {
        failures.add(JSON.stringify(path));
        throw error;
      }
    };
  }
}

function failuresIn(value: unknown, type: GraphQLOutputType, path: readonly (string | number)[]): string[] {
  if (isNonNullType(type)) {
    return value === null || value === undefined
      ? [JSON.stringify(path)]
      : failuresIn(value, type.ofType, path);
  }
  if (value === null || value === undefined) return [];
  if (isListType(type)) {
    return (value as unknown[]).flatMap((item, i) => failuresIn(item, type.ofType, [...path, i]));
  }
  if (!isLeafType(type)) return [];
  try {
    type.serialize(value);
    return [];
  } catch {
    return [JSON.stringify(path)];
  }
}
