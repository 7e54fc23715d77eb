import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { execute, parse } from "graphql";
import { Composer } from "../../schema/composition.ts";
import { serviceSchema } from "../../service.ts";
import { scopeOf, targetOf } from "../../testing/test-gateway.ts";
import { createTypescriptEngine } from "../planned/planned-engine.ts";
import { operationsOf } from "./test-operations.ts";
import {
  monolithOf,
  randomTypes,
  sdlOf,
  serviceNames,
  serviceOf,
  upstreamOf,
} from "./test-random-services.ts";

const count = Number(process.env["CATALYST_FEDERATION_SCHEMAS"] ?? 60);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);

it("answers operations over services that chance made as one service would", async () => {
  let composed = 0;
  const property = fc.asyncProperty(randomTypes, fc.integer(), async (types, operationSeed) => {
    const sdls = serviceNames.flatMap((name) => {
      const sdl = sdlOf(name, types);
      return sdl.includes("type T") ? [[name, sdl] as const] : [];
    });
    const inputs = sdls.map(([name, sdl]) => ({
      target: targetOf(name),
      schema: serviceSchema("federation", sdl),
    }));
    const composition = new Composer().compose(inputs);
    if (!composition.ok) return;
    composed += 1;
    const schemas = new Map(sdls.map(([name, sdl]) => [name, serviceOf(sdl, types)]));
    const compiled = await createTypescriptEngine(upstreamOf(schemas)).compile(composition.input);
    const whole = monolithOf(types, sdls);
    for (const { query, variables } of fc.sample(operationsOf(whole, "query"), {
      numRuns: 15,
      seed: operationSeed,
    })) {
      const document = parse(query);
      const expected = await execute({ schema: whole, document, variableValues: variables });
      assert.equal(expected.errors, undefined);
      const actual = await compiled.execute({ document, variables, scope: scopeOf() });
      const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
      if (got !== wanted) {
        const plan = await compiled.explain({ document, variables });
        assert.fail(
          [
            query,
            wanted,
            got,
            JSON.stringify(plan),
            ...sdls.map(([name, sdl]) => `--- ${name}\n${sdl}`),
          ].join("\n"),
        );
      }
    }
  });
  await fc.assert(property, { numRuns: count, seed });
  assert.ok(composed >= count / 2, `only ${composed} of ${count} schemas could be composed`);
});
