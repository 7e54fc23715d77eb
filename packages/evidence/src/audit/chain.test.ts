import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatAuditHead, parseAuditHead } from "@catalyst/evidence";
import fc from "fast-check";
import { fromHex, toHex } from "../../../wire/test/hex.ts";
import { hostileBytes } from "../../../wire/test/mutation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { refusal } from "../../test/refusal.ts";
import { createChainCheck } from "./chain.ts";

type Case = { readonly entries: readonly string[]; readonly known: readonly string[] };

const good = readCases<Case & { readonly head: string }>("evidence-audit/good.json");
const bad = readCases<Case & { readonly code: string }>("evidence-audit/bad.json");

function follow({ entries, known }: Case): string {
  const check = createChainCheck(known.map(parseAuditHead));
  for (const hex of entries) check.follow(fromHex(hex));
  return formatAuditHead(check.end());
}

describe("the vectors of spec/evidence.md §7", () => {
  for (const { name, head, ...log } of good) {
    test(`${name}: accepted`, () => assert.equal(follow(log), head));
  }
  for (const { name, code, ...log } of bad) {
    test(`${name}: refused as ${code}`, async () => assert.equal(await refusal(() => follow(log)), code));
  }
});

test("a change of any bit of any entry is refused", async () => {
  const log = good.find(({ entries }) => entries.length > 1);
  assert.ok(log !== undefined);
  for (const [at, hex] of log.entries.entries()) {
    for (let bit = 0; bit < hex.length * 4; bit++) {
      const bytes = fromHex(hex);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const entries = log.entries.with(at, toHex(bytes));
      assert.notEqual(await refusal(() => follow({ ...log, entries })), null, `entry ${at}, bit ${bit}`);
    }
  }
});

test("hostile bytes in place of an entry are refused as changed or missing", async () => {
  const seeds = [...good, ...bad]
    .flatMap(({ entries }) => entries.map(fromHex))
    .filter(({ length }) => length > 0);
  await fc.assert(
    fc.asyncProperty(hostileBytes(seeds), async (bytes) => {
      const code = await refusal(() => follow({ entries: [toHex(bytes)], known: [] }));
      assert.ok(code === null || code === "audit_changed" || code === "audit_gap", String(code));
    }),
    { numRuns: 2_000 },
  );
});
