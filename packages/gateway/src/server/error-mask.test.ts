import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GraphQLError } from "graphql";
import { openGateway } from "../testing/test-gateway.ts";
import { serveSubgraph } from "../testing/test-services.ts";
import { maskResult } from "./error-mask.ts";

const options = { mask: "services", codes: ["NOT_ON_SALE"], extensions: ["retryable"] } as const;

function fail(code: string): never {
  throw new GraphQLError("row 7 of table stock is locked", {
    extensions: { code, retryable: true, stacktrace: ["at /srv/app.js"] },
  });
}

async function errorsWith(errors: object): Promise<unknown> {
  const sdl = "type Query { known: Int unknown: Int }";
  const resolvers = { Query: { known: () => fail("NOT_ON_SALE"), unknown: () => fail("DB_LOCKED") } };
  await using stock = await serveSubgraph(sdl, resolvers);
  await using shop = await openGateway({ errors });
  await shop.apply({ stock });
  const answer = await shop.query("{ known unknown }");
  return answer.errors?.map(({ message, path, extensions }) => ({ message, path, extensions }));
}

describe("errors of services", () => {
  it("reach clients as they are by default, with the service's name", async () => {
    const stacktrace = ["at /srv/app.js"];
    const message = "row 7 of table stock is locked";
    assert.deepEqual(await errorsWith({}), [
      {
        message,
        path: ["known"],
        extensions: { code: "NOT_ON_SALE", retryable: true, stacktrace, service: "stock" },
      },
      {
        message,
        path: ["unknown"],
        extensions: { code: "DB_LOCKED", retryable: true, stacktrace, service: "stock" },
      },
    ]);
  });

  it("say only which service failed when they are masked, and what the options allow", async () => {
    const message = 'Service "stock" answered with an error.';
    assert.deepEqual(await errorsWith(options), [
      { message, path: ["known"], extensions: { code: "NOT_ON_SALE", retryable: true, service: "stock" } },
      { message, path: ["unknown"], extensions: { retryable: true, service: "stock" } },
    ]);
  });

  it("are masked also where a service writes what the gateway writes of services", async () => {
    const resolvers = { Query: { a: () => fail("SERVICE_UNAVAILABLE") } };
    await using stock = await serveSubgraph("type Query { a: Int }", resolvers);
    await using shop = await openGateway({ errors: options });
    await shop.apply({ stock });
    const { errors } = await shop.query("{ a }");
    assert.equal(errors?.[0]?.message, 'Service "stock" answered with an error.');
    assert.deepEqual(errors?.[0]?.extensions, { retryable: true, service: "stock" });
  });

  it("that the gateway itself tells of a service are not masked", async () => {
    await using stock = await serveSubgraph("type Query { a: Int }", { Query: { a: () => 1 } });
    await using shop = await openGateway({ errors: options });
    await shop.apply({ stock });
    await stock.stop();
    const { errors } = await shop.query("{ a }");
    assert.deepEqual(errors?.[0]?.extensions, { code: "SERVICE_UNAVAILABLE", service: "stock" });
    assert.match(errors?.[0]?.message ?? "", /Service "stock"/);
  });
});

describe("an exception of the gateway", () => {
  for (const mask of ["internal", "services"] as const) {
    it(`is never told to clients, with mask "${mask}"`, () => {
      const seen: unknown[] = [];
      const cause = new TypeError("secret");
      const error = new GraphQLError("secret", { originalError: cause, path: ["a"] });
      const result = maskResult({ data: null, errors: [error] }, { ...options, mask }, (each) =>
        seen.push(each),
      );
      assert.doesNotMatch(JSON.stringify(result), /secret/);
      assert.deepEqual(result.errors?.[0]?.path, ["a"]);
      assert.deepEqual(seen, [cause]);
    });
  }
});
