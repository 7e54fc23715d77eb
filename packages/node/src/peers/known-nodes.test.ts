import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { KnownNodes } from "./known-nodes.ts";

test("Nodes that were met are known after a start, and a damaged file is told and begun anew", () => {
  const folder = mkdtempSync(join(tmpdir(), "known-"));
  const path = join(folder, "known-nodes.json");
  const failures: unknown[] = [];
  const open = () => new KnownNodes(path, (error) => failures.push(error));
  try {
    const nodes = open();
    assert.equal(nodes.meet("n2.acme.example"), true);
    assert.equal(nodes.meet("n2.acme.example"), false);
    nodes.meet("n3.acme.example");
    nodes.forget("n2.acme.example");
    assert.deepEqual([...open()], ["n3.acme.example"]);
    assert.deepEqual(failures, []);
    writeFileSync(path, "{");
    assert.deepEqual([...open()], []);
    assert.equal(failures.length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("The node that was met first is forgotten when there are too many", () => {
  const folder = mkdtempSync(join(tmpdir(), "known-"));
  try {
    const nodes = new KnownNodes(join(folder, "known-nodes.json"), () => assert.fail());
    for (let index = 0; index <= 1_000; index++) nodes.meet(`n${index}.acme.example`);
    assert.deepEqual([[...nodes].length, [...nodes][0]], [1_000, "n1.acme.example"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
