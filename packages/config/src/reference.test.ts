import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineConfig, referencePage } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";

const definition = defineConfig(sampleSchema);
const page = referencePage(definition);

describe("the reference page", () => {
  test("has a row for every option with key, flag, variable, type, default and description", () => {
    const row =
      "| `mesh.listen.port` | `--mesh-listen-port` | `CATALYST_MESH_LISTEN_PORT` | whole number, 0 to 65535 | `8080` | A port. |";
    assert.ok(page.includes(row), page);
    for (const [variable, node] of definition.variables) {
      assert.match(
        page,
        new RegExp(`^\\| \`${node.key}\` \\| .*\`--${node.names.flag}\`.* \\| \`${variable}\` \\| `, "m"),
      );
    }
  });

  test("has a table for the items of each keyed list, and shows how to write one as a flag", () => {
    assert.ok(page.includes("### Items of `mesh.endpoints`\n\nTold apart by `name`."));
    assert.ok(page.includes("`--endpoint name=…,protocol=…,url=…`"));
    assert.ok(
      page.includes("| `tls.certFile` | text | required with `mesh.endpoints[].tls` | Its certificate. |"),
    );
    assert.ok(page.includes("| `token` | text | none | What it is called with. Secret: never shown. |"));
  });
});
