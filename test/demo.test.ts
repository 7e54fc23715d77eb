import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

async function start(...args: string[]) {
  const child = spawn("npm", ["start", "--silent", "--", ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  return { code, output };
}

test("`npm start -- --once` sends a federated query through Envoy, prints the answer and exits 0", async () => {
  const { code, output } = await start("--once");
  assert.equal(code, 0, output);
  assert.match(output, /query +\{ products/);
  assert.match(output, /answer +\{"data":\{"products":\[\{"name":".+","price":.+,"reviews":\[\{"rating":\d/);
  assert.match(output, /endpoint +http:\/\/127\.0\.0\.1:10000\/graphql/);
  assert.match(output, /curl -s http/);
});

test("a port in use is named in one sentence with what to do, and nothing is left running", async () => {
  const squatter = createServer().listen(10_000, "127.0.0.1");
  await once(squatter, "listening");
  try {
    const { code, output } = await start("--once");
    assert.equal(code, 1, output);
    assert.match(output, /127\.0\.0\.1:10000 is in use: free it, or choose another with --ingress/);
  } finally {
    squatter.close();
  }
});
