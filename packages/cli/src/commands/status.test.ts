import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingContext } from "../../test/recording-context.ts";
import { sampleMesh, sampleNode, sampleService } from "../../test/sample-status.ts";
import { explain, runChecks, showStatus } from "./status.ts";

const ok = { code: "process.envoy", title: "envoy runs and is ready", outcome: "ok", detail: "ok" };
const warning = {
  ...{ code: "envoy.live", title: "Envoy is configured by the orchestrator" },
  ...{ outcome: "warning", detail: "the orchestrator or Envoy is away: changes wait until both are there" },
  hint: "see `catalyst status`",
};
const failed = {
  ...{ code: "services.serving", title: "every service is served" },
  ...{ outcome: "failed", detail: "reviews: it is down\nproducts: it is slow" },
};
const answers = {
  supervisor: { check: [ok, warning] },
  auth: { check: [] },
  orchestrator: { check: [failed] },
  gateway: { check: [] },
  content: { check: [] },
};

test("checks are listed with what is wrong and what to do, and one that failed decides the exit code", async () => {
  const { context, printed } = recordingContext(answers);
  await assert.rejects(runChecks(context, {}), { code: 1, message: "1 of 3 checks failed." });
  assert.deepEqual(printed, [
    "ok       process.envoy          envoy runs and is ready",
    "warning  envoy.live             Envoy is configured by the orchestrator",
    "           the orchestrator or Envoy is away: changes wait until both are there",
    "           hint: see `catalyst status`",
    "failed   services.serving       every service is served",
    "           reviews: it is down",
    "           products: it is slow",
    "           hint: see the logs",
  ]);
});

test("on a narrow terminal what is wrong is wrapped below its check", async () => {
  const { context, printed } = recordingContext(answers, { width: 50 });
  await runChecks(context, { only: ["envoy.live"] });
  assert.deepEqual(printed, [
    "warning  envoy.live             Envoy is",
    "           configured by the orchestrator",
    "           the orchestrator or Envoy is away:",
    "           changes wait until both are there",
    "           hint: see `catalyst status`",
  ]);
});

test("a process that does not answer is a check that failed; a code that no check has is told with those there are", async () => {
  const { supervisor, auth, orchestrator } = answers;
  const { context, printed } = recordingContext({ supervisor, auth, orchestrator });
  await assert.rejects(runChecks(context, { only: ["gateway.answers"] }), { code: 1 });
  assert.deepEqual(printed, [
    "failed   gateway.answers        the gateway answers",
    "           the gateway does not answer",
    "           hint: see `catalyst status` and `catalyst logs gateway`",
  ]);
  await assert.rejects(runChecks(context, { only: ["nothing"] }), {
    code: 2,
    message:
      "No check has that code; there are process.envoy, envoy.live, services.serving, gateway.answers, content.answers.",
  });
});

const decision = {
  question: "why is reviews failed?",
  asOf: "2026-03-01T12:00:00.000Z",
  inputs: {},
  steps: [
    { rule: "the service is declared", outcome: "yes, by configuration" },
    { rule: "the gateway composes its schema", outcome: "excluded" },
  ],
  result: "failed: could not be reached for the schema request",
};

test("an explanation is a question, the rules and their outcomes, and a result", async () => {
  const wide = recordingContext({ orchestrator: { explain: decision } });
  await explain(wide.context, "service", "reviews");
  assert.deepEqual(wide.printed, [
    "why is reviews failed?",
    "  the service is declared: yes, by configuration",
    "  the gateway composes its schema: excluded",
    "failed: could not be reached for the schema request",
  ]);
  const narrow = recordingContext({ orchestrator: { explain: decision } }, { width: 40 });
  await explain(narrow.context, "service", "reviews");
  assert.deepEqual(narrow.printed, [
    "why is reviews failed?",
    "  the service is declared: yes, by",
    "    configuration",
    "  the gateway composes its schema:",
    "    excluded",
    "failed: could not be reached for the",
    "    schema request",
  ]);
  await assert.rejects(explain(wide.context, "weather", "today"), { code: 2 });
});

test("as JSON the status is what the processes said, and null for one that does not answer", async () => {
  const mesh = sampleMesh([sampleService("products")]);
  const { context, printed } = recordingContext({ orchestrator: { status: mesh } }, { format: "json" });
  await showStatus(context);
  assert.deepEqual(JSON.parse(printed.join("\n")), { node: null, mesh });
  const starting = recordingContext({ supervisor: { status: { ...sampleNode, state: "starting" } } });
  await assert.rejects(showStatus(starting.context), { code: 5 });
  assert.equal(starting.printed[0], "n1.acme.catalyst.internal  starting");
  await assert.rejects(showStatus(recordingContext({}).context), { code: "unreachable" });
});

test("what others wrote moves no cursor, in a check and in an explanation", async () => {
  const told = { ...ok, outcome: "failed", detail: "n2: \u001b[2J\u202egone\nn3: away" };
  const checked = recordingContext({ ...answers, supervisor: { check: [told] } });
  await assert.rejects(runChecks(checked.context, { only: [ok.code] }), { code: 1 });
  assert.deepEqual(checked.printed.slice(1, 3), [
    "           n2: \\u{1b}[2J\\u{202e}gone",
    "           n3: away",
  ]);
  const explained = { ...decision, steps: [], result: "failed: \u009b2J" };
  const { context, printed } = recordingContext({ orchestrator: { explain: explained } });
  await explain(context, "service", "reviews");
  assert.deepEqual(printed, ["why is reviews failed?", "failed: \\u{9b}2J"]);
});
