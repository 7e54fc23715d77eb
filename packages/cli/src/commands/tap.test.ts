import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteEventView } from "@catalyst/rpc";
import { recordingContext } from "../../test/recording-context.ts";
import type { OutputFormat } from "../output.ts";
import { type TapOptions, tapRoutes } from "./tap.ts";

const domain = "acme.catalyst.internal";
const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => `${name}.${domain}`) as [string, string, string];
const at = "2027-01-15T08:00:00.125Z";
const route = {
  ...{ service: `products.${domain}`, peer: n2, origin: n3, nextHop: "192.0.2.3:10443" },
  protocol: "graphql",
  ...{ nodePath: [n2, n3], localPref: 100, metric: 0, labels: { stage: "live" }, healthy: true },
  rule: "default: own organisation",
} as const;
type Happened = Omit<Extract<RouteEventView, { event: "route" }>, "change">;
const happened: Happened = { event: "route", at, route, accepted: true, changed: [], reason: null };
const kept: Happened = { ...happened, accepted: false, route: { ...route, rule: "no \u001b[2Jtests" } };
const down = {
  event: "session_down",
  at,
  peer: n2,
  code: "protocol_error",
  text: "\u202egone",
  by: "peer",
} as const;
const best = { event: "best", at, service: route.service, route, criterion: null, alternates: 0 } as const;
const elsewhere = {
  ...route,
  peer: "gate.globex.test",
  origin: "gate.globex.test",
  service: "mail.globex.test",
};

/** Events, and the line that tells of each. */
const told: readonly (readonly [RouteEventView, string])[] = [
  [{ event: "session_up", at, peer: n2 }, "session up    with n2"],
  [
    { ...happened, change: "announced" },
    'announced     products of n3 from n2 at 192.0.2.3:10443: let in by "default: own organisation"',
  ],
  [
    { ...kept, change: "announced" },
    'announced     products of n3 from n2 at 192.0.2.3:10443: kept out by "no \\u{1b}[2Jtests"',
  ],
  [
    { ...happened, change: "announced", route: { ...elsewhere, healthy: false } },
    'announced     mail.globex.test from gate.globex.test at 192.0.2.3:10443, unhealthy: let in by "default: own organisation"',
  ],
  [
    { ...happened, change: "changed", changed: ["nextHop", "metric"] },
    'changed       products of n3 from n2: nextHop, metric; let in by "default: own organisation"',
  ],
  [{ ...kept, change: "judged" }, 'judged        products of n3 from n2: kept out by "no \\u{1b}[2Jtests"'],
  [{ ...happened, change: "unhealthy" }, "unhealthy     products of n3 from n2"],
  [
    { ...happened, change: "withdrawn", route: { ...route, peer: null, origin: n1 } },
    "withdrawn     products of this node",
  ],
  [
    { ...happened, change: "stale" },
    "stale         products of n3 from n2: kept while the peer is expected back",
  ],
  [{ ...happened, change: "renewed" }, "renewed       products of n3 from n2: told again as it was"],
  [
    { ...happened, change: "swept", reason: "not_announced_again" },
    "swept         products of n3 from n2: it was not told again after the session came back",
  ],
  [{ ...happened, change: "expired" }, "expired       products of n3 from n2"],
  [best, "best          products through n2 to n3 at 192.0.2.3:10443: the only path"],
  [
    { ...best, criterion: "shorter nodePath", alternates: 2, route: { ...route, peer: null, origin: n1 } },
    "best          products this node at 192.0.2.3:10443: shorter nodePath, before 2 others",
  ],
  [{ ...best, route: null }, "best          products: no path is left"],
  [
    { ...down, stale: 3 },
    "session down  with n2: \\u{202e}gone (protocol_error, ended there); 3 routes of it kept, stale",
  ],
  [
    { ...down, text: "gone", code: "connection_lost", by: null, stale: 0 },
    "session down  with n2: gone (connection_lost)",
  ],
  [{ event: "lost", at, count: 7 }, "lost          7 events: they came faster than they were read"],
  [{ event: "lost", at, count: null }, "lost          events that nobody counted: this reader was away"],
];
const events = told.map(([event]) => event);

/** A tap on a node that answers a first call with nothing, and then with a few events each time. */
async function tap(options: TapOptions, how: { width?: number; format?: OutputFormat } = {}) {
  const asked: { after?: number; service?: string }[] = [];
  const watchRoutes = (what: { after?: number }) => {
    asked.push(what);
    const { after } = what;
    if (after === undefined) return { node: n1, next: 40, events: [] };
    const from = after - 40;
    if (from >= events.length) return new Promise(() => {});
    return { node: n1, next: after + 5, events: events.slice(from, from + 5) };
  };
  const { context, printed } = recordingContext({ orchestrator: { watchRoutes } }, how);
  await tapRoutes(context, options);
  return { asked, printed };
}

test("each event is a line with its time, names without the own organisation, and nothing of others moves the cursor", async () => {
  const { printed } = await tap({ count: String(events.length) });
  assert.deepEqual(
    printed,
    told.map(([, line]) => `08:00:00.125  ${line}`),
  );
});

test("no line is wider than the terminal: the rest stands below what it belongs to", async () => {
  const { printed } = await tap({ count: "3" }, { width: 60 });
  assert.ok(
    printed.every((line) => line.length <= 60),
    printed.join("\n"),
  );
  assert.deepEqual(printed.slice(1, 4), [
    "08:00:00.125  announced     products of n3 from n2 at",
    `${" ".repeat(28)}192.0.2.3:10443: let in by`,
    `${" ".repeat(28)}"default: own organisation"`,
  ]);
});

test("as JSON each event is one line as it came, by both names of the format", async () => {
  for (const format of ["json", "jsonl"] as const) {
    const { printed } = await tap({ count: "12" }, { format });
    assert.deepEqual(
      printed.map((line) => JSON.parse(line)),
      events.slice(0, 12),
    );
  }
});

test("the node is asked for what was not seen yet, with the filter; a time ends the tap", async () => {
  const { asked, printed } = await tap({ service: "prod*", peer: "n2", for: "0.05s" });
  const filter = { service: "prod*", peer: "n2" };
  assert.deepEqual(asked.slice(0, 3), [filter, { ...filter, after: 40 }, { ...filter, after: 45 }]);
  assert.equal(printed.length, events.length);
});

test("a node without peers, and a number that is none, are refused with what to do", async () => {
  const { context } = recordingContext({ orchestrator: { watchRoutes: null } });
  await assert.rejects(tapRoutes(context, {}), {
    code: 3,
    message: /exchanges routes with nobody: give it `mesh.peers`/,
  });
  await assert.rejects(tapRoutes(context, { count: "0" }), {
    code: 2,
    message: /^--count is a whole number from 1/,
  });
  await assert.rejects(tapRoutes(context, { service: "" }), { code: 2, message: '--service "" is empty' });
  await assert.rejects(tapRoutes(context, { for: "soon" }), { code: 2, message: /^--for is a time such as/ });
});
