import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { it } from "node:test";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createGatewayEvents } from "./events.ts";
import { openGateway } from "./testing/test-gateway.ts";
import { serveInventory, serveRaw } from "./testing/test-services.ts";

it("a sub-request that failed is one line with the request's id, the service, how and why, and how long", async () => {
  await using inventory = await serveInventory();
  await using shop = await openGateway({ schemaPollMs: 60_000 });
  await shop.apply({ inventory });
  await shop.query("{ stock(sku: 1) { count } }", { "x-request-id": "good" });
  const details = "upstream_reset{remote_address:10.0.0.7:77}";
  await using away = await serveRaw((_, response) => {
    const extensions = { code: "SERVICE_UNAVAILABLE", details };
    response.writeHead(503).end(JSON.stringify({ errors: [{ message: "away", extensions }] }));
  });
  shop.egress.routes.set("inventory", away.port);
  await shop.query("{ stock(sku: 1) { count } }", { "x-request-id": "bad" });
  const lines = shop.log.filter(({ msg }) => String(msg).endsWith("to a service failed"));
  assert.deepEqual(
    lines.map(({ level, requestId, service, label, outcome, reason }) => [
      ...[level, requestId, service, label],
      ...[outcome, reason],
    ]),
    [
      [
        ...["warn", "bad", "inventory", "request", "unavailable"],
        `could not be reached for the request (${details})`,
      ],
    ],
  );
  assert.equal(typeof lines[0]?.["durationMs"], "number");
});

it("services that come and go make no more than 500 series per outcome", async () => {
  const metrics = createMetrics();
  const nothing = () => ({ pins: 0, generations: 0, sockets: 0, subscriptions: 0 });
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  const events = createGatewayEvents(createLogger({ process: "gateway", destination }), metrics, nothing);
  for (let i = 0; i < 2_000; i++) {
    const record = { requestId: "r", label: "request", outcome: "ok", durationMs: 1, reason: null } as const;
    events.subRequest({ ...record, service: `s${i}` });
    events.subRequest({ ...record, service: "s0" });
  }
  const text = await metrics.text();
  assert.equal(text.match(/^catalyst_gateway_subrequests_total\{/gm)?.length, 501);
  assert.match(text, /subrequests_total\{service="s0",outcome="ok"\} 2001/);
  assert.match(text, /subrequests_total\{service="_others",outcome="ok"\} 1500/);
});
