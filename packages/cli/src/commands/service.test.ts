import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingContext } from "../../test/recording-context.ts";
import { sampleService } from "../../test/sample-status.ts";
import { addService, listServices } from "./service.ts";

const activation = { envoy: "acknowledged", gateway: "serving", reason: null };

function orchestrator() {
  const asked: { service: unknown }[] = [];
  const added = { created: true, host: "stock.acme.catalyst.internal", activation };
  const addService = (input: { service: unknown }) => {
    asked.push(input);
    return added;
  };
  return { asked, ...recordingContext({ orchestrator: { addService } }) };
}

const given = { protocol: "graphql", url: "http://127.0.0.1:4001/graphql", wait: "5" };

test("how subscriptions reach a service is declared with it, and left to the node when it is not said", async () => {
  const { context, asked, printed } = orchestrator();
  await addService(context, "stock", { ...given, subscriptions: "websocket", timeoutMs: "3000" });
  await addService(context, "stock", given);
  assert.deepEqual(
    asked.map(({ service }) => service),
    [
      { name: "stock", ...declared, timeoutMs: 3_000, subscriptions: "websocket" },
      { name: "stock", ...declared, timeoutMs: 15_000 },
    ],
  );
  assert.deepEqual(printed.slice(0, 1), ["stock added: reachable by Host stock.acme.catalyst.internal"]);
});

const declared = { protocol: given.protocol, url: given.url };

test("a declaration that cannot be is refused with the option, what was given and what is allowed", async () => {
  const cases: [string, Partial<Parameters<typeof addService>[2]>, RegExp][] = [
    ["Stock", {}, /^the name "Stock" is not a DNS label: write at most 63 lower-case letters/],
    ["graphql", {}, /^the name "graphql" is reserved/],
    ["stock", { url: "http://h:99999/" }, /^--url "http:\/\/h:99999\/" is not a URL: .* a port below 65536$/],
    ["stock", { url: "http://a..b/" }, /^--url "http:\/\/a\.\.b\/" has a host that is no DNS name/],
    ["stock", { timeoutMs: "soon" }, /^--timeout-ms is a whole number from 1 to 600000, not "soon"$/],
    ["stock", { timeoutMs: "0" }, /^--timeout-ms is a whole number from 1 to 600000, not "0"$/],
    ["stock", { protocol: "http", subscriptions: "sse" }, /^--subscriptions is for services with --protocol/],
  ];
  for (const [name, options, message] of cases) {
    const { context, asked } = orchestrator();
    await assert.rejects(addService(context, name, { ...given, ...options }), { code: 2, message });
    assert.deepEqual(asked, []);
  }
  const { url: _, ...unreached } = given;
  await assert.rejects(addService(orchestrator().context, "stock", unreached), /--url is missing: write/);
});

test("what is wrong with a service stands below the table, between words and as wide as the terminal", async () => {
  const reason = "could not be reached for the schema request (nothing accepts connections there)";
  const services = [
    sampleService("products"),
    { ...sampleService("reviews"), state: "failed", reasons: [reason] },
  ];
  const { context, printed } = recordingContext({ orchestrator: { listServices: services } }, { width: 60 });
  await listServices(context);
  assert.match(printed[0] ?? "", /^SERVICE +STATE +PROTOCOL +ORIGIN +URL$/);
  assert.equal(printed.length, 6);
  assert.deepEqual(printed.slice(3), [
    "",
    "! reviews: could not be reached for the schema request",
    "  (nothing accepts connections there)",
  ]);
});
