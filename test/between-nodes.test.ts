import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { freePorts, httpService, NodeUnderTest, type NodeUnderTestOptions, shop } from "@catalyst/harness";
import { authContract, orchestratorContract } from "@catalyst/rpc";

/** Two nodes of one organisation: n2 has joined n1 by a token, and has a session with it. */
async function twoNodes(first: NodeUnderTestOptions, second: NodeUnderTestOptions) {
  const [peers = 0, authority = 0] = await freePorts(2);
  const root = ["--listen-peers", `127.0.0.1:${peers}`, "--auth-authority-listen", `127.0.0.1:${authority}`];
  const n1 = await NodeUnderTest.start({ ...first, flags: [...root, ...(first.flags ?? [])] });
  using auth = await n1.connect("auth", authContract);
  const { token } = await auth.call.createJoinToken({ node: "n2" });
  const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${peers}` });
  const flags = ["--peer", peer, "--join", token, ...(second.flags ?? [])];
  const n2 = await NodeUnderTest.start({ ...second, name: "n2", flags });
  return { n1, n2, [Symbol.asyncDispose]: async () => void (await Promise.all([n2.stop(), n1.stop()])) };
}

/** One request to a node's egress, as a service beside it makes it. */
function egress(node: NodeUnderTest, name: string, path = "/"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port: node.ports.egress, path, headers: { host: `${name}.${node.domain}` } },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on("error", reject).end();
  });
}

test("A query through one node is answered from services of two, and a plain service answers at both", async () => {
  await using services = await shop();
  await using hello = await httpService("hello", (_incoming, response) => response.end("hello"));
  await using nodes = await twoNodes(
    { services: [services.products.declaration] },
    { services: [services.reviews.declaration, hello.declaration] },
  );
  const { n1, n2 } = nodes;
  const query = "{ products { name reviews { rating } } }";
  for (const node of [n1, n2]) {
    await node.until(
      "a query over both nodes",
      15_000,
      async () => (await node.query(query)).body.errors === undefined,
    );
    const { body } = await node.query(query);
    assert.deepEqual(body.data, {
      products: [
        { name: "Lamp", reviews: [{ rating: 5 }] },
        { name: "Desk", reviews: [] },
      ],
    });
    assert.deepEqual(await egress(node, "hello"), { status: 200, body: "hello" });
  }
  using orchestrator = await n1.connect("orchestrator", orchestratorContract);
  const { steps } = await orchestrator.call.explain({ subject: "route", name: "reviews" });
  const held = steps.find(({ rule }) => rule === "Envoy holds endpoints for it");
  assert.equal(held?.outcome, `127.0.0.1:${n2.ports.mesh}`);
});
