import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../errors.ts";
import { ServiceFailures } from "./service-failures.ts";

const bad = new GatewayError("service_bad_response", "answered with something that is not GraphQL");

test("a service is said to fail after three requests in a row, until the first that goes well", () => {
  const failures = new ServiceFailures();
  for (const [failure, reason] of [
    [bad, null],
    [null, null],
    [bad, null],
    [bad, null],
    [bad, "requests fail: answered with something that is not GraphQL"],
    [null, null],
  ] as const) {
    failures.note("reviews", failure);
    assert.equal(failures.reasonOf("reviews"), reason);
  }
  assert.equal(failures.reasonOf("products"), null);
});

test("what is known of a failure besides its message is told to operators", () => {
  const failures = new ServiceFailures();
  const detailed = new GatewayError("service_unavailable", "is away", { detail: "connection refused" });
  for (let count = 0; count < 3; count++) failures.note("reviews", detailed);
  assert.equal(failures.reasonOf("reviews"), "requests fail: is away (connection refused)");
  failures.forget("reviews");
  assert.equal(failures.reasonOf("reviews"), null);
});

test("a service that is left alone is told with how often it is tried, until it answers", () => {
  const failures = new ServiceFailures();
  failures.note("reviews", bad);
  failures.pause("reviews", 2_000);
  const reason = "requests fail: answered with something that is not GraphQL";
  assert.equal(
    failures.reasonOf("reviews"),
    `${reason}; so many that it is left alone but for one every 2000 ms`,
  );
  failures.note("reviews", null);
  failures.pause("reviews", null);
  assert.equal(failures.reasonOf("reviews"), null);
});
