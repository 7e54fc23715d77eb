import { connectRpc, orchestratorContract, RpcError, socketPath, supervisorContract } from "@catalyst/rpc";
import type { Printer } from "./printer.ts";
import { type MeshStatus, type NodeStatus, renderStatus } from "./status-view.ts";

const everyMs = 1_000;

/**
 * Shows the node's status until the signal aborts: repainted in place on a terminal, elsewhere one line
 * whenever its state changes.
 */
export async function watchStatus(printer: Printer, dataDir: string, signal: AbortSignal): Promise<void> {
  let last = "";
  while (!signal.aborted) {
    const status = await readOnce(dataDir);
    if (signal.aborted) return;
    if (status === null) last = show(printer, last, "starting", ["The node is starting …"]);
    else last = show(printer, last, summary(status), renderStatus(status.node, status.mesh, printer.colours));
    await pause(status === null ? 100 : everyMs, signal);
  }
}

type Status = { readonly node: NodeStatus; readonly mesh: MeshStatus };

function show(printer: Printer, last: string, now: string, lines: readonly string[]): string {
  if (printer.interactive) printer.repaint(lines);
  else if (now !== last) printer.talk(now);
  return now;
}

/** One line that changes when a person would want to know. */
function summary({ node, mesh }: Status): string {
  const children = node.details.children.map(({ name, state }) => `${name} ${state}`);
  const services = mesh?.details.services.map(({ service, state }) => `${service.name} ${state}`) ?? [];
  return `node ${node.state} (${children.join(", ")})${services.length > 0 ? `; ${services.join(", ")}` : ""}`;
}

async function readOnce(dataDir: string): Promise<Status | null> {
  try {
    using supervisor = await connectRpc(socketPath(dataDir, "supervisor"), supervisorContract, {
      timeoutMs: 2_000,
    });
    const node = await supervisor.call.status(undefined);
    return { node, mesh: await readMesh(dataDir) };
  } catch (error) {
    if (error instanceof RpcError) return null;
    throw error;
  }
}

async function readMesh(dataDir: string): Promise<MeshStatus> {
  try {
    using orchestrator = await connectRpc(socketPath(dataDir, "orchestrator"), orchestratorContract, {
      timeoutMs: 2_000,
    });
    return await orchestrator.call.status(undefined);
  } catch (error) {
    if (error instanceof RpcError) return null;
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
