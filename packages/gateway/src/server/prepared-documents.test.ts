import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { buildSchema, parse } from "graphql";
import { gatewayOptions } from "../options.ts";
import { openGateway } from "../testing/test-gateway.ts";
import { serveInventory } from "../testing/test-services.ts";
import { PreparedDocuments } from "./prepared-documents.ts";

const schema = buildSchema(`
  type Query { product(kind: Kind): Product any: Any }
  enum Kind { BOOK }
  union Any = Product
  type Product { name: String }
`);

function messages(introspection: boolean, source: string): string[] {
  const options = { ...gatewayOptions.parse({}), introspection };
  return new PreparedDocuments(options).validate(parse(source), schema).map(({ message }) => message);
}

describe("what is said of an invalid document", () => {
  for (const [what, source, without] of [
    ["a field", "{ product { nam } }", 'Cannot query field "nam" on type "Product".'],
    ["a type", "{ any { ... on Produc { name } } }", 'Unknown type "Produc".'],
    ["a field of a member", "{ any { name } }", 'Cannot query field "name" on type "Any".'],
    ["an argument", "{ product(kin: BOOK) { name } }", 'Unknown argument "kin" on field "Query.product".'],
    ["a value of an enum", "{ product(kind: BOOC) { name } }", 'Value "BOOC" does not exist in "Kind" enum.'],
    ["a selection", "{ product }", 'Field "product" of type "Product" must have a selection of subfields.'],
  ] as const) {
    it(`suggests ${what} of the schema only where introspection is allowed`, () => {
      assert.deepEqual(messages(false, source), [without]);
      const [suggesting] = messages(true, source);
      assert.match(suggesting ?? "", /^(.*) Did you mean .*\?$/);
    });
  }
});

describe("the documents that a gateway keeps", () => {
  it("do not fill the memory when each client sends another one of many comments", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heap = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    await using inventory = await serveInventory();
    await using gateway = await openGateway();
    await gateway.apply({ inventory });
    const before = heap();
    for (let i = 0; i < 40; i++) {
      const { data } = await gateway.query(`{ stock(sku: ${i}) { count } }${"\n#".repeat(50_000)}`);
      assert.ok(data);
    }
    const grown = heap() - before;
    assert.ok(grown < 100_000_000, `${grown} bytes more`);
  });
});
