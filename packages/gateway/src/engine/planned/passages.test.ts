import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { parse } from "graphql";
import { GatewayError } from "../../errors.ts";
import { Composer } from "../../schema/composition.ts";
import { serviceSchema } from "../../service.ts";
import { checkAnswer, parseJson } from "../../upstream/answer.ts";
import type { SubRequest, Upstream } from "../../upstream/upstream.ts";
import type { EngineSchema, OperationResult } from "../engine.ts";
import { JsonText, writeResult } from "../json-text.ts";
import { createPlannedEngine } from "./planned-engine.ts";
import { Planner } from "./planner.ts";

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@external", "@requires"])\n`;
const sdls = {
  products: `enum Size { S M } scalar Any
    type Product @key(fields: "id") { id: ID! name: String! size: Size price: Float! box: Box! }
    type Box { width: Int! height: Int marks: [[String!]!] any: Any fits: Boolean }
    type Query { products: [Product!]! box: Box cheapest: Product }`,
  reviews: `type Box { width: Int! @external }
    type Product @key(fields: "id") { id: ID! box: Box! @external freight: Float @requires(fields: "box { width }") reviews: [Review!]! }
    type Review { id: ID! stars: Float body: String! }`,
};

const bodies = {
  products: `{"data":{"products":[
{"__typename":"Product","id":"1","name":"A \\"quoted\\" \\u00e4","size":"S","price":4.50,"box":{"width":1,"height":null,"marks":[["x"],[]],"any":{"a":[1]},"fits":true}},
{"__typename":"Product","id":"2","name":"Ünïcode","size":null,"price":-0.5,"box":{"width":-12,"height":3,"marks":null,"any":"t","fits":null}}],
"box":{"width":7,"height":8,"marks":[],"any":null,"fits":false}}}\n`.replaceAll(/\n(?!$)/g, ""),
  reviews: `{"data":{"_entities":[{"reviews":[{"id":"r1","stars":4.50,"body":"good"},{"id":"r2","stars":null,"body":""}]},{"reviews":[]}]}}`,
};

const document =
  "{ products { id name size box { width height marks any fits } reviews { id stars body } } box { width height marks fits } }";

let compiled: { readonly whole: EngineSchema; readonly inPassages: EngineSchema };
const planner = new Planner();
const answers = new Map<string, Buffer>();

/** Answers with what is set, parsed as the engine wishes or as a whole. */
function upstreamThat(heedsParser: boolean): Upstream {
  const execute = async ({ name }: { name: string }, { parse = parseJson }: SubRequest) => {
    const answer = checkAnswer(name, (heedsParser ? parse : parseJson)(answers.get(name) ?? Buffer.alloc(0)));
    if (answer === null)
      throw new GatewayError("service_bad_response", "answered nonsense", { service: name });
    return answer;
  };
  return { execute } as unknown as Upstream;
}

before(async () => {
  const services = Object.entries(sdls).map(([name, sdl]) => ({
    target: { name, host: `${name}.test`, path: "/graphql", timeoutMs: 1_000, revision: "1" },
    schema: serviceSchema("federation", link + sdl),
  }));
  const composition = new Composer().compose(services);
  assert.ok(composition.ok, JSON.stringify(composition));
  compiled = {
    whole: await createPlannedEngine(upstreamThat(false), planner).compile(composition.input),
    inPassages: await createPlannedEngine(upstreamThat(true), planner).compile(composition.input),
  };
});
after(() => planner[Symbol.asyncDispose]());

function ask(engine: EngineSchema, query: string, given: Readonly<Record<string, string | Buffer>>) {
  for (const [name, body] of Object.entries(given)) answers.set(name, Buffer.from(body as string));
  const scope = { requestId: "x", headers: {}, signal: new AbortController().signal };
  return engine.execute({ document: parse(query), scope });
}

const jsonOf = (result: OperationResult): unknown => JSON.parse(writeResult(result).toString());

describe("what one service brings and only the client wants", () => {
  it("goes to the client as it was written", async () => {
    const result = await ask(compiled.inPassages, document, bodies);
    assert.ok(result.data instanceof JsonText);
    const json = writeResult(result).toString();
    assert.match(json, /"reviews":\[\{"id":"r1","stars":4\.50,"body":"good"\},/);
    assert.match(json, /"box":\{"width":7,"height":8,"marks":\[\],"fits":false\}/);
    assert.deepEqual(JSON.parse(json), jsonOf(await ask(compiled.whole, document, bodies)));
    assert.deepEqual(JSON.parse(JSON.stringify(result)), JSON.parse(json));
  });

  it("is parsed where a key has another name for the client, or another service needs it", async () => {
    for (const query of ["{ box { w: width } }", "{ products { freight } }"]) {
      const products = query.includes("freight")
        ? '{"data":{"products":[{"__typename":"Product","id":"1","box":{"width":2}}]}}'
        : '{"data":{"box":{"_q0":2}}}';
      const given = { products, reviews: '{"data":{"_entities":[{"freight":2.5}]}}' };
      const result = await ask(compiled.inPassages, query, given);
      assert.equal(result.errors, undefined, JSON.stringify(result));
      assert.ok(!(result.data instanceof JsonText));
      assert.deepEqual(jsonOf(result), jsonOf(await ask(compiled.whole, query, given)));
    }
  });

  it("is what it would be if it had been parsed, whatever a service answers", async () => {
    const insertion = fc.oneof(
      fc.constantFrom(
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "\0",
        "null",
        "true",
        "-",
        ".",
        "0",
        "e1",
      ),
      fc.constantFrom(
        "12345678901",
        '"id":"9",',
        '"__proto__":{},',
        '"errors":[{"message":"m"}],',
        '"\\ud800"',
        "\\u12",
        "ä",
      ),
      fc.string({ maxLength: 3 }),
    );
    const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(12), insertion });
    const changes = fc.array(change, { minLength: 0, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(changes, changes, async (one, other) => {
        const given = { products: changed(bodies.products, one), reviews: changed(bodies.reviews, other) };
        const inPassages = jsonOf(await ask(compiled.inPassages, document, given));
        assert.deepEqual(inPassages, jsonOf(await ask(compiled.whole, document, given)));
      }),
      { numRuns: 800 },
    );
  });

  it("is mended where it is no UTF-8", async () => {
    const body = Buffer.from('{"data":{"box":{"marks":[["_"]]}}}');
    body[body.indexOf("_")] = 0xff;
    const result = await ask(compiled.inPassages, "{ box { marks } }", { products: body });
    assert.deepEqual(jsonOf(result), { data: { box: { marks: [["\ufffd"]] } } });
  });
});

type Change = { readonly at: number; readonly drop: number; readonly insertion: string };

function changed(text: string, changes: readonly Change[]): string {
  return changes.reduce((before, { at, drop, insertion }) => {
    const place = Math.floor(at * before.length);
    return before.slice(0, place) + insertion + before.slice(place + drop);
  }, text);
}
