import { after, before, test } from "node:test";
import { killOne, type NodesUnderLoad, nodesUnderLoad, victims } from "./kills.ts";

// Two nodes under load at both, and each of their processes killed once. `npm run soak -- nodes` goes on with that.

let under: NodesUnderLoad;

before(async () => {
  under = await nodesUnderLoad();
});

after(() => under?.[Symbol.asyncDispose]());

for (const victim of victims) {
  const who = victim === "node" ? "all of its processes" : `its process ${victim}`;
  test(`A node of which ${who} is killed comes back, and what needs that alone fails meanwhile`, async (t) => {
    for (const at of under.nodes.keys()) await killOne(under, at, victim, (text) => t.diagnostic(text));
  });
}
