import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { getByHost, httpService, NodeUnderTest } from "@catalyst/harness";
import { authContract } from "@catalyst/rpc";
import { HostileAuthority, honest, type NewsAnswer } from "./hostile-authority.ts";

const domain = "test.catalyst.internal";

/** Something on a private address that knows no TLS, and writes down what it is sent. */
async function openTrap() {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("data", (bytes) => heard.push(bytes));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: () => Buffer.concat(heard),
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

/** Writes for as long as somebody reads, and counts what was taken. */
function endless(taken: { bytes: number }): NewsAnswer {
  const chunk = Buffer.alloc(65_536, " ");
  const pour = (response: ServerResponse) => {
    while (!response.destroyed) {
      taken.bytes += chunk.length;
      if (!response.write(chunk)) return void response.once("drain", () => pour(response));
    }
  };
  return (response) => pour(response);
}

/** One byte every tenth of a second. */
const dripping: NewsAnswer = (response) => {
  const timer = setInterval(() => response.write(" "), 100);
  response.on("close", () => clearInterval(timer));
};

/** The most memory that a process had so far, in MB. */
const peakOf = (pid: number) =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;

async function problemOf(node: NodeUnderTest): Promise<string> {
  using auth = await node.connect("auth", authContract);
  return (await auth.call.identity(undefined)).problem ?? "";
}

async function checkOf(node: NodeUnderTest, wanted: string) {
  using auth = await node.connect("auth", authContract);
  return (await auth.call.check(undefined)).find(({ code }) => code === wanted)?.outcome;
}

test("Threat 20: keys from an authority that answers hugely, slowly, with a redirect or garbage: old ones stay, until they are too old", async (context) => {
  await using authority = await HostileAuthority.open(domain);
  await using trap = await openTrap();
  await using web = await httpService("web", (_, response) => void response.end("ok"));
  await using node = await NodeUnderTest.start({
    name: "n2",
    services: [web.declaration],
    flags: ["--auth-required", "--join", authority.joinToken("n2")],
  });
  const first = authority.credential("web");
  const reach = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await getByHost(node.ports.ingress, `web.${domain}`, "/", headers)).status;
  };
  const admits = (token: string, status: number) =>
    node.until(`${status} for the credential`, 10_000, async () => (await reach(token)) === status);
  await admits(first, 200);

  /** The authority answers so for a while; the node says what is wrong, and goes on by the keys that it had. */
  const suffers = async (answer: NewsAnswer, words: RegExp, told = {}) => {
    const begun = performance.now();
    authority.behave(answer, told);
    await node.until(String(words), 30_000, async () => words.test(await problemOf(node)));
    const tookMs = Math.round(performance.now() - begun);
    assert.equal(await reach(first), 200, String(words));
    return tookMs;
  };
  // Each failure lets the node wait for longer before it asks again: the slowest fault comes first.
  const slowMs = await suffers(dripping, /it answers too slowly/);
  assert.ok(slowMs < 17_000, `it took ${slowMs} ms`);
  const pid = await node.pidOf("auth");
  const before = peakOf(pid);
  const taken = { bytes: 0 };
  const hugeMs = await suffers(endless(taken), /more than 16777216 bytes/);
  const grownMB = peakOf(pid) - before;
  assert.ok(grownMB < 150, `it grew by ${grownMB} MB`);
  const location = `http://${trap.address}/latest/meta-data/`;
  await suffers((response) => response.writeHead(307, { location }).end(), /it answered with status 307/);
  await suffers((response) => response.end("<html>"), /it is no JSON/);
  authority.behave(honest);
  await node.until("it is well again", 15_000, async () => (await problemOf(node)) === "");
  const issuers = authority
    .document()
    .issuers.map((issuer) => ({ ...issuer, jwks: '{"keys":[{"kid":"x"}]}' }));
  await suffers(honest, /not a JWK Set of P-256 keys/, { issuers });
  const { bundle } = authority.document();
  const rootless = { ...bundle, keys: bundle.keys.filter(({ use }) => use === "jwt-svid") };
  await suffers(honest, /it has no root/, { bundle: rootless });
  assert.equal(trap.heard().length, 0);

  // A clock that is off is told of, and nothing else comes of it.
  authority.behave((response, document) => {
    response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString());
    response.end(document());
  });
  await node.until(
    "the clock is told of",
    15_000,
    async () => (await checkOf(node, "auth.clock")) === "warning",
  );
  assert.equal(await checkOf(node, "auth.identity"), "ok");

  // Well again, its newest key is taken at once; and kept for as long as it is away, up to the age that was set.
  authority.rotate();
  authority.behave(honest);
  const second = authority.credential("web");
  await admits(second, 200);
  assert.equal(await problemOf(node), "");
  const { port } = authority;
  await authority.close();
  const restarted = async () => {
    await node.killChild("auth");
    await node.ready();
    await node.until("auth says what is wrong", 20_000, async () => (await problemOf(node)) !== "");
  };
  await restarted();
  assert.equal(await reach(second), 200);
  const heard = join(node.dataDir, "identity", "heard.json");
  const { at } = JSON.parse(readFileSync(heard, "utf8"));
  assert.ok(Math.abs(Date.now() - at) < 120_000);
  writeFileSync(heard, JSON.stringify({ at: at - 24 * 3_600_000 }));
  await restarted();
  await admits(second, 401);
  assert.match(await problemOf(node), /no credential is taken until the root authority is heard again/);
  await authority.listen(port);
  await admits(second, 200);

  // An address on a private network is believed no more than any other: without the root's proof nothing is asked there.
  authority.behave(honest, { authority: [trap.address] });
  await node.until("it tried", 15_000, () => trap.heard().length > 0);
  assert.equal(trap.heard()[0], 0x16, "a greeting of TLS");
  assert.ok(!/GET|trust|HTTP/.test(trap.heard().toString("latin1")));
  assert.equal(await reach(second), 200);
  context.diagnostic(
    `huge: given up after ${(taken.bytes / 1e6).toFixed(1)} MB and ${hugeMs} ms, ${grownMB.toFixed(0)} MB of memory; slow: given up after ${slowMs} ms`,
  );
});
