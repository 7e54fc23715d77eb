import { type Client, orchestratorContract, RpcError, supervisorContract } from "@catalyst/rpc";
import type { CommandContext } from "./context.ts";

/** What the supervisor says of the node. */
export type NodeStatus = Awaited<ReturnType<Client<typeof supervisorContract>["status"]>>;
/** What the orchestrator says of services and proxies. */
export type MeshStatus = Awaited<ReturnType<Client<typeof orchestratorContract>["status"]>>;

/** The status of a node: null for what does not answer, and why. */
export type StatusAnswers =
  | { readonly node: NodeStatus; readonly mesh: MeshStatus | null }
  | { readonly node: null; readonly mesh: MeshStatus | null; readonly failure: RpcError };

/** Asks the supervisor and the orchestrator at once. */
export async function readStatus(connect: CommandContext["connect"]): Promise<StatusAnswers> {
  const askNode = async () => {
    using supervisor = await connect("supervisor", supervisorContract);
    return await supervisor.call.status(undefined);
  };
  const askMesh = async () => {
    using orchestrator = await connect("orchestrator", orchestratorContract);
    return await orchestrator.call.status(undefined);
  };
  const [node, answered] = await Promise.all([orFailure(askNode()), orFailure(askMesh())]);
  const mesh = answered instanceof RpcError ? null : answered;
  return node instanceof RpcError ? { node: null, mesh, failure: node } : { node, mesh };
}

async function orFailure<T>(answer: Promise<T>): Promise<T | RpcError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
}
