import assert from "node:assert/strict";
import { test } from "node:test";
import type { TransferClaims } from "../transfer-token.ts";
import { TokenUses } from "./token-uses.ts";

const claims = (jti?: string, more: Partial<TransferClaims> = {}): TransferClaims => ({
  ...{ sub: "transfer", iss: "orbit-nucleus", allow_file: "/file", iat: 1, exp: 3_601 },
  ...(jti === undefined ? {} : { jti }),
  ...more,
});

test("A jti is for one file, one expiry and one reader; who has none is not looked at", () => {
  const uses = new TokenUses();
  for (let times = 0; times < 3; times++) uses.note(claims("one"), "192.0.2.1");
  for (const [more, address] of [
    [{ allow_file: "/other" }, "192.0.2.1"],
    [{ exp: 7_201 }, "192.0.2.1"],
    [{}, "192.0.2.2"],
  ] as const)
    assert.throws(() => uses.note(claims("one", more), address), { code: "token_reused" });
  for (const address of ["192.0.2.1", "192.0.2.2"]) uses.note(claims(), address);
});

test("A hundred thousand are remembered, the oldest goes first, and a file costs no more for that", {
  timeout: 10_000,
}, () => {
  const uses = new TokenUses();
  for (let at = 0; at < 100_000; at++) uses.note(claims(`jti ${at}`), "192.0.2.1");
  assert.throws(() => uses.note(claims("jti 0"), "192.0.2.2"), { code: "token_reused" });
  for (let at = 100_000; at < 150_000; at++) uses.note(claims(`jti ${at}`), "192.0.2.1");
  assert.throws(() => uses.note(claims("jti 50000"), "192.0.2.2"), { code: "token_reused" });
  uses.note(claims("jti 49999"), "192.0.2.2");
});
