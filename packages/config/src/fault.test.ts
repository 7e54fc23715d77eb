import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Fault, renderFaults } from "./index.ts";

describe("faults as text", () => {
  test("come in the order of the file, then environment, flags and what is missing", () => {
    const faults: Fault[] = [
      { key: "node.name", source: { kind: "default" }, problem: "is missing", hint: "set it" },
      { key: "", source: { kind: "flag", flag: "--x" }, problem: "is not a known flag", nearest: "--y" },
      { key: "a.b", source: { kind: "env", variable: "CATALYST_A_B" }, problem: "is not a number" },
      {
        key: "m.u",
        source: { kind: "file", path: "c.json", line: 14, column: 9 },
        problem: 'is not a URL: "x"',
      },
      {
        key: "m.t",
        source: { kind: "file", path: "c.json", line: 2, column: 1 },
        problem: "is 3, not a text",
      },
    ];
    assert.equal(
      renderFaults(faults),
      `5 faults in the configuration:

  m.t  (c.json:2:1)
    is 3, not a text

  m.u  (c.json:14:9)
    is not a URL: "x"

  a.b  (CATALYST_A_B)
    is not a number

  --x
    is not a known flag
    did you mean --y?

  node.name  (not set)
    is missing
    set it`,
    );
  });

  test("hold no control characters and no changes of direction", () => {
    const fault: Fault = { key: "a\u001b[2J", source: { kind: "default" }, problem: "is \u202e\u009b" };
    assert.equal(
      renderFaults([fault]),
      "1 fault in the configuration:\n\n  a\\u001b[2J  (not set)\n    is \\u202e\\u009b",
    );
  });
});
