import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts, httpService, NodeUnderTest } from "@catalyst/harness";
import { authContract, orchestratorContract } from "@catalyst/rpc";

const peersOf = async (node: NodeUnderTest) => await node.connect("orchestrator", orchestratorContract);

/** What a node's mesh listener says to a request that another one's Envoy brings; null where it does not let it in. */
function bring(from: NodeUnderTest, to: NodeUnderTest, name: string): Promise<number | null> {
  const pem = readFileSync(join(from.dataDir, "identity", "envoy.pem"), "utf8");
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const session = connect(`https://127.0.0.1:${to.ports.mesh}`, {
    cert: pem,
    key: pem,
    rejectUnauthorized: false,
  });
  session.on("error", () => resolve(null)).on("close", () => resolve(null));
  const request = session.request({ ":authority": `${name}.${to.domain}` });
  request.on("error", () => resolve(null));
  request.on("response", ({ ":status": status }) => {
    resolve(status ?? null);
    session.destroy();
  });
  return promise;
}

test("A peer that is removed brings no requests, though its organisation is believed, until it is invited again", async () => {
  await using hello = await httpService("hello", (_incoming, response) => response.end("hello"));
  const [peers = 0, authority = 0] = await freePorts(2);
  const flags = ["--listen-peers", `127.0.0.1:${peers}`, "--auth-authority-listen", `127.0.0.1:${authority}`];
  await using n1 = await NodeUnderTest.start({ services: [hello.declaration], flags });
  using auth = await n1.connect("auth", authContract);
  const { token } = await auth.call.createJoinToken({ node: "n2" });
  await using n2 = await NodeUnderTest.start({ name: "n2", flags: ["--join", token] });
  using inviter = await peersOf(n1);
  using joiner = await peersOf(n2);
  const become = async () => {
    const { token } = await inviter.call.invitePeer({ ttlMs: 60_000, addresses: [] });
    await joiner.call.joinPeer({ token, waitMs: 15_000 }, { timeoutMs: 60_000 });
  };
  const says = (status: (status: number | null) => boolean) =>
    n1.until("its word to the peer", 10_000, async () => status(await bring(n2, n1, "hello")));

  await become();
  await says((status) => status === 200);
  await inviter.call.removePeer({ peer: `n2.${n1.domain}` });
  await says((status) => status === null || status === 401 || status === 403);
  await become();
  await says((status) => status === 200);
  await n1.until("the session stands", 10_000, async () => (await n1.peers())[0]?.state === "established");
});
