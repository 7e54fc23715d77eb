import type {
  ChildStatus,
  Client,
  orchestratorContract,
  ProxyStatus,
  ServiceStatus,
  supervisorContract,
} from "@catalyst/rpc";
import type { Printer } from "./printer.ts";
import { renderTable } from "./table.ts";

/** What the supervisor says of the node. */
export type NodeStatus = Awaited<ReturnType<Client<typeof supervisorContract>["status"]>>;
/** What the orchestrator says of services and proxies; null while it is away. */
export type MeshStatus = Awaited<ReturnType<Client<typeof orchestratorContract>["status"]>> | null;

type Colours = Printer["colours"];

/**
 * The node as a person reads it: where it stands, its processes, its services, and what is wrong. Without a
 * supervisor, where each process runs by itself, what the orchestrator knows.
 */
export function renderStatus(node: NodeStatus | null, mesh: MeshStatus, colours: Colours): string[] {
  const lines: string[] = [];
  if (node !== null) {
    const { details } = node;
    lines.push(
      `${colours.bold(`${details.node}.${details.domain}`)}  ${paint(node.state, colours)}`,
      ...details.endpoints.map(({ name, url }) => `  ${name.padEnd(14)} ${url}`),
      "",
      ...renderTable(
        ["PROCESS", "STATE", "PID", "RESTARTS", "SINCE"],
        details.children.map((child) => processRow(child, colours)),
      ),
    );
  } else if (mesh !== null) {
    const { details } = mesh;
    lines.push(`${colours.bold(`${details.node}.${details.domain}`)}  without a supervisor`);
  }
  if (mesh === null) {
    lines.push(
      "",
      colours.yellow("The orchestrator is away: traffic flows on, changes wait until it is back."),
    );
  } else if (mesh.details.services.length > 0) {
    const rows = mesh.details.services.map((service) => serviceRow(service, colours));
    lines.push("", ...renderTable(["SERVICE", "STATE", "PROTOCOL", "ORIGIN", "URL"], rows));
  } else {
    lines.push("", "No services yet: `catalyst service add` declares one.");
  }
  for (const proxy of mesh?.details.proxies ?? []) lines.push("", proxyLine(proxy, colours));
  const reasons = [...new Set([...(node?.reasons ?? []), ...(mesh?.reasons ?? [])])];
  if (reasons.length > 0) {
    lines.push(
      "",
      ...reasons.flatMap((reason) => reason.split("\n")).map((reason) => colours.yellow(`! ${reason}`)),
    );
  }
  return lines;
}

/** How far one proxy is: in step, or what is on its way to it, or what it rejected. */
function proxyLine({ node, protocol, types }: ProxyStatus, colours: Colours): string {
  const holds = types.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const outstanding = types.reduce((sum, { outstanding }) => sum + outstanding, 0);
  const rejected = types.filter((type) => type.rejected !== null).map(({ type }) => type);
  const step = outstanding === 0 ? colours.green("in step") : colours.yellow(`${outstanding} on their way`);
  const refused = rejected.length === 0 ? "" : `, ${colours.red(`rejected a ${rejected.join(" and a ")}`)}`;
  return `Envoy ${node} holds ${holds} resources, ${step}${refused} (${protocol})`;
}

function processRow(child: ChildStatus, colours: Colours): string[] {
  const state = paint(child.state, colours);
  const restarts = child.restarts === 0 ? "0" : `${child.restarts} (${child.lastExit ?? "unknown"})`;
  return [child.name, state, child.pid === null ? "-" : String(child.pid), restarts, ago(child.since)];
}

export function serviceRow(status: ServiceStatus, colours: Colours): string[] {
  const { service, origin } = status;
  return [service.name, paint(status.state, colours), service.protocol, origin, service.url];
}

function paint(state: string, colours: Colours): string {
  if (state === "ready" || state === "serving") return colours.green(state);
  if (state === "failed" || state === "backoff") return colours.red(state);
  return colours.yellow(state);
}

function ago(since: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
