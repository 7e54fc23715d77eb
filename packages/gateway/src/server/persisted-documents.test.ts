import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openGateway, type TestGateway } from "../testing/test-gateway.ts";
import { serveProducts } from "../testing/test-services.ts";
import { until } from "../testing/test-until.ts";

const query = "{ product(id: 2) { name } }";
const answer = { data: { product: { name: "Rope" } } };
const hash = createHash("sha256").update(query).digest("hex");

async function withShop(
  persistedDocuments: object,
  test: (shop: TestGateway, folder: string) => Promise<void>,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "persisted-"));
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  await using products = await serveProducts();
  const path = Object.keys(files).length === 0 ? {} : { path: folder };
  await using shop = await openGateway({ persistedDocuments: { ...path, ...persistedDocuments } });
  await shop.apply({ products });
  await test(shop, folder);
}

async function ask(shop: TestGateway, body: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(shop.url, { method: "POST", headers, body: JSON.stringify(body) });
  const { errors, ...rest } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return errors === undefined ? rest : errors[0]?.extensions.code;
}

const byHash = { extensions: { persistedQuery: { version: 1, sha256Hash: hash } } };
const operations = [{ id: hash, name: "Rope", type: "query", body: query }];

describe("a persisted document", () => {
  for (const [what, files] of [
    ["of Relay or GraphQL Code Generator", { "persisted.json": JSON.stringify({ [hash]: query }) }],
    [
      "of Apollo",
      { "m.json": JSON.stringify({ format: "apollo-persisted-query-manifest", version: 1, operations }) },
    ],
    ["of ids with the hash's name", { "m.json": JSON.stringify({ [`sha256:${hash}`]: query }) }],
    ["that is a file of its own", { [`${hash}.graphql`]: query }],
  ] as const) {
    it(`is found by its id and by its hash in a manifest ${what}`, () =>
      withShop(
        {},
        async (shop) => {
          assert.deepEqual(await ask(shop, { documentId: hash }), answer);
          assert.deepEqual(await ask(shop, { documentId: `sha256:${hash}` }), answer);
          assert.deepEqual(await ask(shop, byHash), answer);
          const got = await fetch(`${shop.url}?documentId=${hash}`);
          assert.deepEqual(await got.json(), answer);
          assert.deepEqual(await ask(shop, { query: "{ __typename }" }), { data: { __typename: "Query" } });
          assert.equal(await ask(shop, { documentId: "other" }), "PERSISTED_DOCUMENT_NOT_FOUND");
        },
        files,
      ));
  }

  it("is the only kind that is executed when that is required", () =>
    withShop(
      { required: true, automatic: true },
      async (shop) => {
        assert.deepEqual(await ask(shop, { documentId: "rope" }), answer);
        assert.equal(await ask(shop, { query }), "PERSISTED_DOCUMENT_REQUIRED");
        assert.equal(await ask(shop, { query, ...byHash }), "PERSISTED_DOCUMENT_NOT_FOUND");
        assert.equal(await ask(shop, { query, documentId: "other" }), "PERSISTED_DOCUMENT_NOT_FOUND");
      },
      { "m.json": JSON.stringify({ rope: query }) },
    ));

  it("changes with its file, and stays while that cannot be read, which is said", () =>
    withShop(
      {},
      async (shop, folder) => {
        const file = join(folder, "m.json");
        writeFileSync(file, `{"rope": "{ products { `);
        await until(() => shop.gateway.documentFault !== null);
        assert.match(shop.gateway.documentFault ?? "", /m\.json is no JSON/);
        writeFileSync(file, `{"rope": "{ products { name `);
        await sleep(1_500);
        const told = shop.log.filter(({ msg }) => /cannot be read/.test(String(msg)));
        assert.equal(told.length, 1);
        assert.deepEqual(await ask(shop, { documentId: "rope" }), answer);
        writeFileSync(file, JSON.stringify({ rope: "{ __typename }", anvil: query }));
        await until(() => shop.gateway.documentFault === null);
        assert.deepEqual(await ask(shop, { documentId: "rope" }), { data: { __typename: "Query" } });
        assert.deepEqual(await ask(shop, { documentId: "anvil" }), answer);
        writeFileSync(file, `{"rope": 7}`);
        await until(() => shop.gateway.documentFault !== null);
        assert.match(shop.gateway.documentFault ?? "", /is no manifest/);
      },
      { "m.json": JSON.stringify({ rope: query }) },
    ));

  it("stays when its files are gone, and when they come back as they were", () =>
    withShop(
      {},
      async (shop, folder) => {
        renameSync(folder, `${folder}-away`);
        await until(() => shop.gateway.documentFault !== null);
        assert.match(shop.gateway.documentFault ?? "", /ENOENT/);
        assert.deepEqual(await ask(shop, { documentId: "rope" }), answer);
        renameSync(`${folder}-away`, folder);
        await until(() => shop.gateway.documentFault === null);
        assert.deepEqual(await ask(shop, { documentId: "rope" }), answer);
      },
      { "m.json": JSON.stringify({ rope: query }) },
    ));

  it("stays when its files grow beyond their bound, or are no files", () =>
    withShop(
      { maxBytes: 2_048 },
      async (shop, folder) => {
        writeFileSync(join(folder, "long.graphql"), `{ __typename } #${"x".repeat(2_048)}`);
        await until(() => shop.gateway.documentFault !== null);
        assert.match(shop.gateway.documentFault ?? "", /more than 2048 bytes/);
        rmSync(join(folder, "long.graphql"));
        await until(() => shop.gateway.documentFault === null);
        mkdirSync(join(folder, "folder.json"));
        await until(() => shop.gateway.documentFault !== null);
        assert.match(shop.gateway.documentFault ?? "", /folder\.json is no file/);
        assert.deepEqual(await ask(shop, { documentId: "rope" }), answer);
      },
      { "m.json": JSON.stringify({ rope: query }) },
    ));
});

describe("an automatic persisted query", () => {
  it("is registered by its hash, and asked for by that alone from then on", () =>
    withShop({ automatic: true }, async (shop) => {
      assert.equal(await ask(shop, byHash), "PERSISTED_QUERY_NOT_FOUND");
      assert.deepEqual(await ask(shop, { query, ...byHash }), answer);
      assert.deepEqual(await ask(shop, byHash), answer);
    }));

  it("must have the hash of its document", () =>
    withShop({ automatic: true }, async (shop) => {
      assert.equal(await ask(shop, { query: "{ __typename }", ...byHash }), "PERSISTED_QUERY_MISMATCH");
      assert.equal(await ask(shop, byHash), "PERSISTED_QUERY_NOT_FOUND");
      const extensions = { persistedQuery: { version: 1, sha256Hash: 7 } };
      assert.equal(await ask(shop, { query, extensions }), "BAD_REQUEST");
    }));

  it("is forgotten, the one used longest ago first, when the memory for them is full", () =>
    withShop({ automatic: true, automaticMaxBytes: 65_536 }, async (shop) => {
      const long = (i: number) => `{ a${i}: __typename } #${"x".repeat(10_000)}`;
      const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
      const extensions = (i: number) => ({
        extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(long(i)) } },
      });
      for (const i of [1, 2, 3]) await ask(shop, { query: long(i), ...extensions(i) });
      await ask(shop, extensions(1));
      await ask(shop, { query: long(4), ...extensions(4) });
      assert.equal(await ask(shop, extensions(2)), "PERSISTED_QUERY_NOT_FOUND");
      assert.deepEqual(await ask(shop, extensions(1)), { data: { a1: "Query" } });
    }));

  it("is off by default: a client that offers one is told, and one that brings its document is served", () =>
    withShop({}, async (shop) => {
      assert.equal(await ask(shop, byHash), "PERSISTED_QUERY_NOT_SUPPORTED");
      assert.deepEqual(await ask(shop, { query, ...byHash }), answer);
    }));
});
