import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { parse } from "graphql";
import { openGateway } from "../testing/test-gateway.ts";
import { serveInventory } from "../testing/test-services.ts";
import { DocumentCache } from "./document-cache.ts";

const documentOf = (fields: number, name = "a") => `{ ${`${name} `.repeat(fields)}}`;
const parsed = (source: string) => ({ document: parse(source) });
const bytesOf = (source: string) => {
  const cache = new DocumentCache(Number.MAX_SAFE_INTEGER);
  cache.set(source, parsed(source));
  return cache.bytes;
};

describe("the documents that a gateway keeps", () => {
  it("are the ones used last, as many as fit", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => documentOf(10, name)) as [string, string, string];
    const cache = new DocumentCache(16 * bytesOf(a));
    const others = Array.from({ length: 15 }, (_, i) => documentOf(10, String.fromCharCode(100 + i)));
    for (const source of [a, b, ...others.slice(0, 14)]) cache.set(source, parsed(source));
    assert.ok(cache.get(a));
    cache.set(c, parsed(c));
    assert.ok(cache.get(a) && cache.get(c));
    assert.equal(cache.get(b), undefined);
  });

  it("never take more than their bound, and none a sixteenth of it", () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 60 })));
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 400_000 }), (documents, maxBytes) => {
        const cache = new DocumentCache(maxBytes);
        for (const [name, fields] of documents) {
          const source = documentOf(fields, `f${name}`);
          cache.set(source, parsed(source));
          assert.ok(cache.bytes <= maxBytes);
          assert.equal(cache.get(source) !== undefined, bytesOf(source) <= maxBytes / 16);
        }
      }),
    );
  });

  it("count their comments", () => {
    const plain = documentOf(1);
    const commented = `${plain}${"\n#".repeat(1_000)}`;
    assert.ok(bytesOf(commented) > bytesOf(plain) + 1_000 * 100);
  });

  it("do not fill the memory when each client sends another long one", async () => {
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
