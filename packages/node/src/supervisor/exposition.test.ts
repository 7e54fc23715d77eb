import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeExpositions } from "./exposition.ts";

test("families of several processes stand together, each sample with the process that it is of", () => {
  const merged = mergeExpositions([
    {
      process: "gateway",
      text: '# HELP up Whether it runs.\n# TYPE up gauge\nup 1\n# HELP took_seconds How long.\n# TYPE took_seconds histogram\ntook_seconds_bucket{le="1"} 3\ntook_seconds_sum 2\ntook_seconds_count 3\n',
    },
    {
      process: "envoy",
      text: '# TYPE up gauge\nup{} 1\nother{a="b c"} 2\nother{process="x"} 3 1700000000\n',
    },
  ]);
  assert.equal(
    merged,
    [
      "# HELP up Whether it runs.",
      "# TYPE up gauge",
      'up{process="gateway"} 1',
      'up{process="envoy"} 1',
      "# HELP took_seconds How long.",
      "# TYPE took_seconds histogram",
      'took_seconds_bucket{process="gateway",le="1"} 3',
      'took_seconds_sum{process="gateway"} 2',
      'took_seconds_count{process="gateway"} 3',
      'other{process="envoy",a="b c"} 2',
      'other{process="x"} 3 1700000000',
      "",
    ].join("\n"),
  );
});
