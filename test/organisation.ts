import { FaultProxy, freePorts, NodeUnderTest, type NodeUnderTestOptions } from "@catalyst/harness";
import { authContract } from "@catalyst/rpc";

/** How a node is reached by the others: what may come between. */
export type Links = {
  /** What other nodes' Envoys go by. */
  readonly mesh: FaultProxy;
  /** What it dials each of the nodes before it by. */
  readonly sessions: readonly FaultProxy[];
};

export type Organisation = AsyncDisposable & {
  readonly nodes: readonly NodeUnderTest[];
  readonly links: readonly Links[];
};

/**
 * Nodes of one organisation, n1, n2 and so on: the first one keeps the root, the others have joined it by a token, and
 * each has a session with each other one. All that goes from one to another can be cut.
 */
export async function organisation(members: readonly NodeUnderTestOptions[]): Promise<Organisation> {
  const [authority = 0, ...ports] = await freePorts(1 + 2 * members.length);
  const nodes: NodeUnderTest[] = [];
  const links: Links[] = [];
  const [peers, mesh] = [ports.slice(0, members.length), ports.slice(members.length)];
  for (const [at, member] of members.entries()) {
    const link = await linksOf(mesh[at] ?? 0, peers.slice(0, at));
    const flags = ["--listen-peers", `127.0.0.1:${peers[at]}`];
    flags.push("--mesh-peering-advertise", link.mesh.address);
    for (const [to, { address }] of link.sessions.entries()) {
      flags.push("--peer", JSON.stringify({ name: `n${to + 1}`, address }));
    }
    const [root] = nodes;
    if (root === undefined) flags.push("--auth-authority-listen", `127.0.0.1:${authority}`);
    else flags.push("--join", await joinToken(root, `n${at + 1}`));
    flags.push(...(member.flags ?? []));
    links.push(link);
    nodes.push(await NodeUnderTest.start({ ...member, name: `n${at + 1}`, meshPort: mesh[at] ?? 0, flags }));
  }
  return {
    nodes,
    links,
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes.toReversed()) await node[Symbol.asyncDispose]();
      for (const link of links.flatMap((each) => [each.mesh, ...each.sessions])) {
        await link[Symbol.asyncDispose]();
      }
    },
  };
}

async function linksOf(meshPort: number, before: readonly number[]): Promise<Links> {
  const mesh = await FaultProxy.start(meshPort);
  return { mesh, sessions: await Promise.all(before.map((port) => FaultProxy.start(port))) };
}

async function joinToken(root: NodeUnderTest, node: string): Promise<string> {
  using auth = await root.connect("auth", authContract);
  return (await auth.call.createJoinToken({ node })).token;
}
