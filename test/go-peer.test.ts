import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import { authoritiesOf, parseJoinToken, peerTrustOf, readTrustDocument } from "@catalyst/identity";
import { joinOrganisation } from "@catalyst/node";
import { authContract } from "@catalyst/rpc";

// A peer that was written from spec/ alone, with a real node.

const domain = "test.catalyst.internal";
const sources = join(import.meta.dirname, "../interop/go-peer");
const hasGo = spawnSync("go", ["version"]).status === 0;
const skip = hasGo ? false : "Go is not installed: the peer in Go is not built";
const env = { ...process.env, GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local" };

describe("A peer in Go", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "go-peer-"));
  const program = join(folder, "peer");

  before(() => promisify(execFile)("go", ["build", "-o", program, "."], { cwd: sources, env }));
  after(() => rmSync(folder, { recursive: true }));

  const start = (port: number, proof: readonly string[]): ChildProcess =>
    spawn(program, [
      ...[
        "--dial",
        `127.0.0.1:${port}`,
        "--expect",
        `n1.${domain}`,
        "--node",
        `n9.${domain}`,
        "--domain",
        domain,
      ],
      ...["--announce", `fruit.${domain}`, "--protocol", "http", "--next-hop", "192.0.2.9:10443"],
      ...["--withdraw-after", "2s", "--stay", "4s", ...proof],
    ]);

  const hasFruit = async (node: NodeUnderTest) => {
    const routes = await node.routes();
    return routes.some(
      ({ service, nextHop }) => service === `fruit.${domain}` && nextHop === "192.0.2.9:10443",
    );
  };

  /** It announces, withdraws, hears of the node's own service, and leaves in good order. */
  const meets = async (node: NodeUnderTest, peer: ChildProcess) => {
    const ended = once(peer, "exit");
    const [said, complaints] = [text(peer.stdout ?? assert.fail()), text(peer.stderr ?? assert.fail())];
    await node.until("the route that it announces", 10_000, () => hasFruit(node));
    await node.until("that it is withdrawn", 10_000, async () => !(await hasFruit(node)));
    const [code] = await ended;
    const lines = (await said)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(code, 0, `${await complaints}\n${JSON.stringify(lines)}`);
    const events = lines.map(({ event }) => event);
    for (const event of ["established", "end_of_rib", "withdrew", "ended"])
      assert.ok(events.includes(event), event);
    const heard = lines.find(({ event }) => event === "announced");
    assert.deepEqual([heard?.service, heard?.origin], [`products.${domain}`, `n1.${domain}`]);
  };

  const products = { name: "products", protocol: "http" as const, url: "http://127.0.0.1:9" };

  it("agrees with every vector of sessions and peering", async () => {
    const { stdout } = await promisify(execFile)("go", ["test", "-count=1", "./..."], { cwd: sources, env });
    assert.match(stdout, /^ok/m);
  });

  it("exchanges routes without proof, where that is asked for by name", async () => {
    const [port = 0] = await freePorts(1);
    const flags = ["--listen-peers", `127.0.0.1:${port}`, "--insecure-plain-peers"];
    await using node = await NodeUnderTest.start({ services: [products], flags });
    await meets(node, start(port, ["--plain"]));
  });

  it("exchanges routes with the certificate of its enrolment", async () => {
    const [port = 0, authority = 0] = await freePorts(2);
    const flags = [
      "--listen-peers",
      `127.0.0.1:${port}`,
      "--auth-authority-listen",
      `127.0.0.1:${authority}`,
    ];
    await using node = await NodeUnderTest.start({ services: [products], flags });
    using auth = await node.connect("auth", authContract);
    const { token } = await auth.call.createJoinToken({ node: "n9" });
    const data = join(folder, "n9");
    await joinOrganisation(data, parseJoinToken(token));
    const identity = join(data, "identity");
    const trust = peerTrustOf(readTrustDocument(readFileSync(join(identity, "trust.json"), "utf8")));
    const roots = join(folder, "roots.pem");
    writeFileSync(roots, authoritiesOf(trust).join("\n"));
    const own = join(identity, "orchestrator.pem");
    await meets(node, start(port, ["--cert", own, "--key", own, "--roots", roots]));
  });
});
