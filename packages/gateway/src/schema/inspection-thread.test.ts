import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InspectionThread } from "./inspection-thread.ts";

const wide = Array.from({ length: 30_000 }, (_, i) => `type T${i} { a: Int b: String }`).join("\n");
const side = { sdl: `type Query { a: Int }\n${wide}`, services: null };

describe("a comparison of schemas", () => {
  it("is given up when it takes too long", async () => {
    const thread = new InspectionThread({ timeoutMs: 200, maxMemoryMb: 1_024 });
    await assert.rejects(thread.compare(side, side), {
      code: "composition_failed",
      message: "the schema takes longer than 200 ms to compare: make it smaller",
    });
  });

  it("is given up when it takes too much memory", async () => {
    const thread = new InspectionThread({ timeoutMs: 30_000, maxMemoryMb: 40 });
    await assert.rejects(thread.compare(side, side), {
      code: "composition_failed",
      message: "the schema takes more than 40 MiB of memory to compare: make it smaller",
    });
  });
});
