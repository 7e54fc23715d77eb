import assert from "node:assert/strict";
import { test } from "node:test";
import pc from "picocolors";
import { sampleMesh, sampleNode, sampleService, sampleTime } from "../test/sample-status.ts";
import { renderStatus } from "./status-view.ts";

const plain = { colours: pc.createColors(false), now: Date.parse(sampleTime) };
const services = [sampleService("products"), sampleService("reviews", "failed")];
const reasons = [
  "reviews: could not be reached for the schema request (The service reviews cannot be reached.)",
];
const status = { node: sampleNode, mesh: sampleMesh(services, reasons) };

/** A picture of what is printed, without its first line break and its indentation. */
function picture(text: string): string[] {
  return text
    .slice(1)
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(4));
}

test("the status shows processes, services, what each Envoy holds and rejected, and what is wrong", () => {
  assert.deepEqual(
    renderStatus(status, plain),
    picture(`
    n1.acme.catalyst.internal  degraded
      GraphQL        http://127.0.0.1:10000/graphql

    PROCESS       STATE    PID  RESTARTS  SINCE  LAST EXIT
    envoy         ready    101  0         3 min  -
    orchestrator  unready  104  2         3 min  exit code 1
    gateway       backoff  -    1         3 min  killed by SIGKILL

    SERVICE   STATE    PROTOCOL  ORIGIN         URL
    products  serving  graphql   configuration  http://127.0.0.1:4001/products/graphql
    reviews   failed   graphql   configuration  http://127.0.0.1:4001/reviews/graphql

    Envoy n1.acme.catalyst.internal  1 on their way  delta, connected for 3 h
    RESOURCES              SUBSCRIBED  RESPONSES  HOLDS  ON THEIR WAY
    Cluster                all         3          3      1
    ClusterLoadAssignment  2           3          2      0
    Listener               all         3          2      0
    rejected a Cluster 30 s ago: Proto constraint validation failed

    ! orchestrator is unready: not yet configured
    ! reviews: could not be reached for the schema request (The service reviews cannot be reached.)
    `),
  );
});

test("on a narrow terminal tables are cut at its edge, and what is wrong is wrapped", () => {
  const lines = renderStatus(status, { ...plain, width: 60 });
  assert.ok(lines.every((line) => line.length <= 60));
  assert.deepEqual(
    lines,
    picture(`
    n1.acme.catalyst.internal  degraded
      GraphQL        http://127.0.0.1:10000/graphql

    PROCESS       STATE    PID  RESTARTS  SINCE  LAST EXIT
    envoy         ready    101  0         3 min  -
    orchestrator  unready  104  2         3 min  exit code 1
    gateway       backoff  -    1         3 min  killed by SIGK…

    SERVICE   STATE    PROTOCOL  ORIGIN         URL
    products  serving  graphql   configuration  http://127.0.0.…
    reviews   failed   graphql   configuration  http://127.0.0.…

    Envoy n1.acme.catalyst.internal  1 on their way  delta,
      connected for 3 h
    RESOURCES              SUBSCRIBED  RESPONSES  HOLDS  ON THE…
    Cluster                all         3          3      1
    ClusterLoadAssignment  2           3          2      0
    Listener               all         3          2      0
    rejected a Cluster 30 s ago: Proto constraint validation
      failed

    ! orchestrator is unready: not yet configured
    ! reviews: could not be reached for the schema request (The
      service reviews cannot be reached.)
    `),
  );
});

test("where there is room for few, the services with faults come first and the rest is counted", () => {
  const many = Array.from({ length: 300 }, (_, at) =>
    sampleService(`s${at}`, at === 50 ? "failed" : "serving"),
  );
  const mesh = sampleMesh(many, ["a: one", "b: two", "c: three"]);
  const view = { ...plain, width: 80, brief: true, serviceRows: 3, mostReasons: 2 };
  const lines = renderStatus({ node: sampleNode, mesh }, view);
  assert.deepEqual(
    lines.slice(8),
    picture(`
    SERVICE  STATE    PROTOCOL  ORIGIN         URL
    s50      failed   graphql   configuration  http://127.0.0.1:4001/s50/graphql
    s0       serving  graphql   configuration  http://127.0.0.1:4001/s0/graphql
    and 298 serving: \`catalyst service list\` names them

    Envoy n1.acme.catalyst.internal holds 7 resources, 1 on their way, rejected a
    Cluster (delta)

    ! orchestrator is unready: not yet configured
    ! a: one
    ! and 2 more: \`catalyst status\` has them
    `),
  );
});

test("an orchestrator that is away is told, and that traffic flows on", () => {
  assert.match(
    renderStatus({ node: sampleNode, mesh: null }, plain).join("\n"),
    /orchestrator is away: traffic flows on/,
  );
});

test("on the very first start nothing is said to be away", () => {
  const children = sampleNode.details.children.map((child) =>
    child.name === "orchestrator"
      ? { ...child, state: "starting" as const, restarts: 0, lastExit: null }
      : child,
  );
  const node = { ...sampleNode, details: { ...sampleNode.details, children } };
  assert.match(renderStatus({ node, mesh: null }, plain).join("\n"), /The orchestrator is starting\./);
});

test("where each process runs by itself, the orchestrator's word is the status", () => {
  const failure = Object.assign(new Error("nobody"), { code: "unreachable" }) as never;
  const [title, , words] = renderStatus({ node: null, mesh: sampleMesh([]), failure }, plain);
  assert.equal(title, "n1.acme.catalyst.internal  without a supervisor");
  assert.equal(words, "No services yet: `catalyst service add` declares one.");
});
