import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

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

/** Why the demo, which has the ports that it tells people, cannot run now; false when it can. */
const taken = await new Promise<string | false>((resolve) => {
  const probe = createServer();
  probe.once("error", () => resolve("127.0.0.1:10000 is in use: a demo or a node runs already"));
  probe.listen(10_000, "127.0.0.1", () => probe.close(() => resolve(false)));
});

test("`npm start -- --once` sends a federated query through Envoy, prints the answer and exits 0", {
  skip: taken,
}, async () => {
  const { code, output } = await start("--once");
  assert.equal(code, 0, output);
  assert.match(output, /query +\{ products/);
  assert.match(output, /answer +\{"data":\{"products":\[\{"name":".+","price":.+,"reviews":\[\{"rating":\d/);
  assert.match(output, /endpoint +http:\/\/127\.0\.0\.1:10000\/graphql/);
});

test("a port in use is named in one sentence with what to do, and nothing is left running", {
  skip: taken,
}, async () => {
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

test("the demo says when a service or the node ends after its answer, and Ctrl-C still ends the rest", {
  skip: taken,
}, async () => {
  const demo = spawn(process.execPath, [join(root, "examples", "demo", "main.ts")], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [demo.stdout, demo.stderr]) stream.on("data", (chunk) => (output += chunk));
  const until = async (words: string) => {
    const deadline = Date.now() + 60_000;
    while (!output.includes(words)) {
      assert.ok(Date.now() < deadline && demo.exitCode === null, `"${words}" in\n${output}`);
      await sleep(50);
    }
  };
  const kill = async (name: string) => process.kill(await childOf(demo.pid ?? 0, name), "SIGKILL");
  try {
    await until("Ctrl-C ends the demo");
    await until("curl -s http://127.0.0.1:10000/graphql -H");
    await until("products serving");
    await kill("examples/products/main.ts");
    await until("products ended (SIGKILL)");
    await kill("cli/src/main.ts up");
    await until("The node does not answer any more.\nproducts ended (SIGKILL)\nn1 ended (SIGKILL)");
  } finally {
    const ended = demo.exitCode === null ? once(demo, "exit") : [demo.exitCode, null];
    demo.kill("SIGINT");
    assert.deepEqual(await ended, [1, null], output);
  }
});

/** The process id of a program that another one started, by a part of its command line. */
async function childOf(parent: number, part: string): Promise<number> {
  const { stdout } = await promisify(execFile)("ps", ["--ppid", String(parent), "-o", "pid=,args="]);
  const line = stdout.split("\n").find((each) => each.includes(part));
  return Number(line?.trim().split(" ")[0]);
}
