import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { makeBytes } from "../test-objects.ts";
import { addProduct, divide, multiply } from "./galois.ts";
import { createReedSolomon } from "./reed-solomon.ts";

/** Multiplies as on paper, bit by bit. */
function multiplySlowly(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if (b & (1 << bit)) product ^= a << bit;
  for (let bit = 15; bit >= 8; bit--) if (product & (1 << bit)) product ^= 0x11d << (bit - 8);
  return product;
}

test("Products are those of polynomials modulo x^8 + x^4 + x^3 + x^2 + 1, and division takes them back", () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      assert.equal(multiply(a, b), multiplySlowly(a, b));
      if (b !== 0) assert.equal(divide(multiply(a, b), b), a);
    }
  }
});

test("Adding a product takes two bytes at a time and gives what one at a time does", () => {
  for (const coefficient of [1, 2, 0x1d, 255]) {
    const [target, source] = [makeBytes(64, 1), makeBytes(64, 2)];
    const expected = target.map((byte, at) => byte ^ multiplySlowly(coefficient, source[at] ?? 0));
    addProduct(target, coefficient, source);
    assert.deepEqual(Buffer.from(target), Buffer.from(expected));
  }
});

test("Parity is what it was when the code was fixed", () => {
  const blocks = [0, 1, 2, 3].map((seed) => makeBytes(1024, seed));
  const digests = createReedSolomon(4, 2)
    .encode(blocks)
    .map((block) => createHash("sha256").update(block).digest("hex").slice(0, 32));
  assert.deepEqual(digests, ["2e6193ec83af9ad0056e5b70fcda3b92", "ace07852e7c4ffc7e72e0670dafdd577"]);
  assert.deepEqual(
    createReedSolomon(3, 2)
      .encode([1, 2, 4].map((byte) => Uint8Array.of(byte, 0)))
      .map(([byte]) => byte),
    [14, 163],
  );
});

test("With one data block every parity block is a copy of it", () => {
  const block = makeBytes(100);
  for (const parity of createReedSolomon(1, 3).encode([block]))
    assert.deepEqual(parity, new Uint8Array(block));
});

test("Any `data` of all blocks give back every data block, and fewer give nothing", () => {
  const shapes = fc.record({ data: fc.integer({ min: 1, max: 12 }), parity: fc.integer({ min: 1, max: 6 }) });
  fc.assert(
    fc.property(shapes, fc.infiniteStream(fc.nat()), ({ data, parity }, keys) => {
      const blocks = Array.from({ length: data }, (_, seed) => makeBytes(34, seed));
      const code = createReedSolomon(data, parity);
      const all = [...blocks, ...code.encode(blocks)].map((block, number) => ({
        number,
        block,
        key: keys.next().value,
      }));
      const kept = all.sort((a, b) => a.key - b.key).slice(0, data);
      const map = new Map(kept.map(({ number, block }) => [number, block]));
      for (const [wanted, block] of blocks.entries()) {
        assert.deepEqual(Buffer.from(code.decode(wanted, map) ?? []), Buffer.from(block));
      }
      map.delete(kept[0]?.number ?? 0);
      assert.equal(code.decode(0, map), null);
    }),
    { numRuns: 200 },
  );
});
