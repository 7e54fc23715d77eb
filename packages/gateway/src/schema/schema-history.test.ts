import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildSchema } from "graphql";
import type { Generation } from "../generation.ts";
import { digestOf, serviceSchema } from "../service.ts";
import { targetOf } from "../testing/test-gateway.ts";
import { recordOf, SchemaHistory } from "./schema-history.ts";

const compiled = {
  schema: buildSchema("type Query { a: Int }"),
  execute: async () => ({ data: null }),
  subscribe: async () => ({ data: null }),
  explain: async () => [],
};

function generation(sdl: string, services: Readonly<Record<string, string>> = {}): Generation {
  return {
    number: 1,
    compiled,
    sdl,
    supergraphSdl: "",
    digest: digestOf(sdl),
    services: Object.entries(services).map(([name, own]) => ({
      target: targetOf(name),
      schema: serviceSchema("plain", own),
    })),
    retired: new AbortController().signal,
  };
}

const numbers = (history: SchemaHistory) => history.entries.map(({ number }) => number);

describe("the schemas that were in force", () => {
  it("are kept up to a number, the newest first, also that nothing was served", () => {
    const history = new SchemaHistory({ maxEntries: 3 });
    for (let number = 1; number <= 5; number++) {
      history.add(number, number * 1_000, number === 4 ? null : generation(`schema ${number}`, { a: "a" }));
    }
    assert.deepEqual(history.entries.map(recordOf), [
      {
        generation: 5,
        since: "1970-01-01T00:00:05.000Z",
        schemaDigest: digestOf("schema 5"),
        services: [{ name: "a", schemaDigest: serviceSchema("plain", "a").digest }],
      },
      { generation: 4, since: "1970-01-01T00:00:04.000Z", schemaDigest: null, services: [] },
      {
        generation: 3,
        since: "1970-01-01T00:00:03.000Z",
        schemaDigest: digestOf("schema 3"),
        services: [{ name: "a", schemaDigest: serviceSchema("plain", "a").digest }],
      },
    ]);
    assert.equal(history.get(4).schema, null);
    assert.throws(() => history.get(2), {
      code: "generation_unknown",
      message: "generation 2 is not kept; those kept: 3 to 5",
    });
  });

  it("are kept within a bound of memory, in which equal texts count once; the two newest whatever they take", () => {
    const history = new SchemaHistory({ maxChars: 100 });
    const other = (number: number) => generation(`${number}`.repeat(20), { a: "a".repeat(40) });
    history.add(1, 0, other(1));
    history.add(2, 0, other(2));
    history.add(3, 0, other(3));
    assert.deepEqual(numbers(history), [3, 2, 1]);
    history.add(4, 0, other(4));
    assert.deepEqual(numbers(history), [4, 3, 2]);
    history.add(5, 0, generation("5".repeat(500)));
    assert.deepEqual(numbers(history), [5, 4]);
    history.add(6, 0, generation("6".repeat(500)));
    assert.deepEqual(numbers(history), [6, 5]);
  });
});
