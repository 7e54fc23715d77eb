import assert from "node:assert/strict";
import { test } from "node:test";
import { IdentityError } from "@catalyst/identity";
import { certificateFault, identityChecks } from "./identity-checks.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const life = (days: number, isConfigured: boolean) => ({
  notBefore: 0,
  notAfter: days * dayMs,
  isConfigured,
});

test("a certificate that is renewed is told of when it was not, half an hour after half of its life", () => {
  const kept = life(1, false);
  assert.equal(certificateFault(kept, 12 * hourMs), null);
  assert.equal(certificateFault(kept, 12.5 * hourMs - 1), null);
  const late = certificateFault(kept, 12.5 * hourMs);
  assert.equal(late?.outcome, "warning");
  assert.match(late.text, /should have been renewed at 1970-01-01T12:00:00.000Z/);
});

test("a certificate that nobody renews is told of in its last third, and two weeks ahead at most", () => {
  const short = life(3, true);
  assert.equal(certificateFault(short, 2 * dayMs - 1), null);
  assert.match(
    certificateFault(short, 2 * dayMs)?.text ?? "",
    /nobody renews it: put a new one in its place/,
  );
  const year = life(365, true);
  assert.equal(certificateFault(year, 351 * dayMs - 1), null);
  assert.equal(certificateFault(year, 351 * dayMs)?.outcome, "warning");
});

test("a certificate whose time is over, or has not come, is of no use, whoever gave it", () => {
  for (const isConfigured of [true, false]) {
    assert.equal(certificateFault(life(1, isConfigured), dayMs)?.outcome, "failed");
    assert.equal(certificateFault(life(1, isConfigured), -1)?.outcome, "failed");
  }
});

const outcomes = (parts: Partial<Parameters<typeof identityChecks>[0]>) => {
  const all = {
    certificate: () => life(1, false),
    problem: null,
    unusable: [],
    rootSkewMs: null,
    now: hourMs,
  };
  const told = identityChecks({ ...all, ...parts });
  return Object.fromEntries(
    told.map(({ code, outcome, detail }) => [code, outcome === "ok" ? "ok" : `${outcome}: ${detail}`]),
  );
};

test("a node that is well says so, and one fault of its identity leaves the other checks as they are", () => {
  const well = {
    "auth.identity": "ok",
    "auth.certificates": "ok",
    "auth.believed": "ok",
    "auth.clock": "ok",
  };
  assert.deepEqual(outcomes({}), well);
  assert.deepEqual(outcomes({ problem: "nobody answers" }), {
    ...well,
    "auth.identity": "failed: nobody answers",
  });
  assert.deepEqual(outcomes({ unusable: ["one", "other"] }), {
    ...well,
    "auth.believed": "failed: one\nother",
  });
  assert.deepEqual(outcomes({ rootSkewMs: -5_000 }), well);
  assert.match(outcomes({ rootSkewMs: 5_001 })["auth.clock"] ?? "", /^warning: .* 5001 ms ahead/);
  assert.match(outcomes({ rootSkewMs: -60_000 })["auth.clock"] ?? "", /^warning: .* 60000 ms behind/);
});

test("each process is named whose certificate is missing, cannot be used, or is old", () => {
  const certificate = (process: string) => {
    if (process === "envoy") return null;
    if (process === "gateway") throw new IdentityError("certificate_unusable", "it is of n9");
    return life(1, process === "content");
  };
  assert.equal(
    outcomes({ certificate, now: 17 * hourMs })["auth.certificates"],
    [
      "failed: auth: it ends at 1970-01-02T00:00:00.000Z, and should have been renewed at 1970-01-01T12:00:00.000Z",
      "content: it ends at 1970-01-02T00:00:00.000Z, and nobody renews it: put a new one in its place",
      "envoy: it has none",
      "gateway: it is of n9",
      "orchestrator: it ends at 1970-01-02T00:00:00.000Z, and should have been renewed at 1970-01-01T12:00:00.000Z",
    ].join("\n"),
  );
});
