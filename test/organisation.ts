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
  await using started = new AsyncDisposableStack();
  const [nodes, links, ports]: [NodeUnderTest[], Links[], number[]] = [[], [], []];
  for (const [at, member] of members.entries()) {
    // Taken as late as can be: whatever is free may be somebody else's in a moment.
    const [peers = 0, mesh = 0, authority = 0] = await freePorts(3);
    const link = await linksOf(mesh, ports);
    for (const proxy of [link.mesh, ...link.sessions]) started.use(proxy);
    const flags = ["--listen-peers", `127.0.0.1:${peers}`, "--mesh-peering-advertise", link.mesh.address];
    for (const [to, { address }] of link.sessions.entries()) {
      flags.push("--peer", JSON.stringify({ name: `n${to + 1}`, address }));
    }
    const [root] = nodes;
    if (root === undefined) flags.push("--auth-authority-listen", `127.0.0.1:${authority}`);
    else flags.push("--join", await joinToken(root, `n${at + 1}`));
    flags.push(...(member.flags ?? []));
    nodes.push(
      started.use(await NodeUnderTest.start({ ...member, name: `n${at + 1}`, meshPort: mesh, flags })),
    );
    links.push(link);
    ports.push(peers);
  }
  const kept = started.move();
  return { nodes, links, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function linksOf(meshPort: number, before: readonly number[]): Promise<Links> {
  const mesh = await FaultProxy.start(meshPort);
  return { mesh, sessions: await Promise.all(before.map((port) => FaultProxy.start(port))) };
}

async function joinToken(root: NodeUnderTest, node: string): Promise<string> {
  using auth = await root.connect("auth", authContract);
  return (await auth.call.createJoinToken({ node })).token;
}
