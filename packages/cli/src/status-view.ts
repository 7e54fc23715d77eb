import type { ChildStatus, PeeringState, ProxyStatus, ServiceStatus } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Printer } from "./printer.ts";
import type { MeshStatus, StatusAnswers } from "./status-reader.ts";
import { renderTable, wrap } from "./table.ts";

type Colours = Printer["colours"];

const serviceHead = ["SERVICE", "STATE", "PROTOCOL", "ORIGIN", "URL"];

/** How a status is shown. */
export type StatusView = {
  readonly colours: Colours;
  /** Wall time in ms, for how long ago something was. */
  readonly now: number;
  /** Columns that there are; undefined where lines may be as long as they are. */
  readonly width?: number | undefined;
  /** One line for each Envoy in place of a table. Default false. */
  readonly brief?: boolean;
  /** Rows for services at most: those with faults first, the rest counted in the last row. Default as many as needed. */
  readonly serviceRows?: number;
  /** How many reasons are shown; the rest is counted. Default all. */
  readonly mostReasons?: number;
};

/**
 * The node as a person reads it: where it stands, its processes, its services, its Envoys, and what is wrong.
 * Without a supervisor, where each process runs by itself, what the orchestrator knows.
 */
export function renderStatus({ node, mesh }: StatusAnswers, view: StatusView): string[] {
  const { colours, width, now } = view;
  const lines: string[] = [];
  if (node !== null) {
    const { details } = node;
    lines.push(
      `${colours.bold(`${details.node}.${details.domain}`)}  ${paint(node.state, colours)}`,
      ...details.endpoints.map(({ name, url }) => `  ${name.padEnd(14)} ${url}`),
      "",
      ...renderTable(
        ["PROCESS", "STATE", "PID", "RESTARTS", "SINCE", "LAST EXIT"],
        details.children.map((child) => processRow(child, colours, now)),
        width,
      ),
    );
  } else if (mesh !== null) {
    const { details } = mesh;
    lines.push(`${colours.bold(`${details.node}.${details.domain}`)}  without a supervisor`);
  }
  lines.push("", ...(mesh === null ? [colours.yellow(away(node))] : meshLines(mesh, view)));
  const reasons = [...new Set([...(node?.reasons ?? []), ...(mesh?.reasons ?? [])])];
  if (reasons.length > 0) lines.push("", ...reasonLines(reasons, view));
  return lines;
}

/** Why nothing is known of services. */
function away(node: StatusAnswers["node"]): string {
  const orchestrator = node?.details.children.find(({ name }) => name === "orchestrator");
  const first = orchestrator !== undefined && orchestrator.restarts === 0 && orchestrator.lastExit === null;
  return first && orchestrator.state === "starting"
    ? "The orchestrator is starting."
    : "The orchestrator is away: traffic flows on, changes wait until it is back.";
}

function meshLines(mesh: MeshStatus, view: StatusView): string[] {
  const { colours, width } = view;
  const { services, proxies, peering } = mesh.details;
  const listed =
    services.length === 0
      ? ["No services yet: `catalyst service add` declares one."]
      : serviceLines(mesh.details, view);
  const shown = proxies.flatMap((proxy) =>
    view.brief === true
      ? ["", ...wrap(proxyLine(proxy, colours), width)]
      : ["", ...proxyTitle(proxy, view), ...proxyTable(proxy, view)],
  );
  return [
    ...listed,
    ...(peering === null ? [] : ["", ...wrap(peeringLine(peering, colours), width)]),
    ...shown,
  ];
}

/** How many peers there are, and what goes back and forth. */
function peeringLine({ peers, authenticated }: PeeringState, colours: Colours): string {
  const established = peers.filter(({ state }) => state === "established").length;
  const sum = (of: "received" | "advertised") => peers.reduce((total, peer) => total + peer[of], 0);
  const count = `${established} of ${peers.length} established`;
  const sessions = established === peers.length ? colours.green(count) : colours.yellow(count);
  const proof = authenticated ? "" : `, ${colours.red("plain: nobody proves who they are")}`;
  const received = sum("received");
  const routes = `${received} ${received === 1 ? "route" : "routes"} received, ${sum("advertised")} advertised`;
  return `Peers ${sessions}${proof}, ${routes}`;
}

function serviceLines({ services, counts }: MeshStatus["details"], view: StatusView): string[] {
  const { serviceRows = services.length + 1, colours, width } = view;
  const fits = services.length + (countStates(counts, services) === "" ? 0 : 1) <= serviceRows;
  const sound = ({ state }: ServiceStatus) => (state === "serving" ? 1 : 0);
  const shown = fits ? services : services.toSorted((a, b) => sound(a) - sound(b)).slice(0, serviceRows - 1);
  const rows = shown.map((service) => serviceRow(service, colours));
  const table = renderTable(serviceHead, rows, width);
  const rest = countStates(counts, shown);
  return rest === ""
    ? table
    : [...table, ...wrap(`and ${rest}: \`catalyst service list\` names them`, width)];
}

/** `298 serving, 2 failed`: how many services there are in each state, those left out that are named elsewhere. */
export function countStates(
  counts: MeshStatus["details"]["counts"],
  named: readonly ServiceStatus[] = [],
): string {
  const left = Object.entries(counts).map(([state, count]) => {
    return [state, count - named.filter((service) => service.state === state).length] as const;
  });
  return left.flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : [])).join(", ");
}

/** All services in a table, and below it what is wrong with those of which something is. */
export function renderServices(
  services: readonly ServiceStatus[],
  { colours, width }: Pick<StatusView, "colours" | "width">,
): string[] {
  const rows = services.map((service) => serviceRow(service, colours));
  const table = renderTable(serviceHead, rows, width);
  const reasons = services.flatMap(({ service, reasons }) =>
    reasons.map((reason) => `${service.name}: ${reason}`),
  );
  return reasons.length === 0 ? table : [...table, "", ...reasonLines(reasons, { colours, width })];
}

type ReasonView = Pick<StatusView, "colours" | "width" | "mostReasons">;

function reasonLines(reasons: readonly string[], view: ReasonView): string[] {
  const { mostReasons = reasons.length, colours, width } = view;
  const shown = reasons.slice(0, mostReasons).flatMap((reason) => reason.split("\n"));
  const rest = reasons.length - mostReasons;
  const all = rest > 0 ? [...shown, `and ${rest} more: \`catalyst status\` has them`] : shown;
  return all
    .flatMap((reason) => wrap(`! ${visible(reason)}`, width, "  "))
    .map((line) => colours.yellow(line));
}

/** How far one proxy is: in step, or what is on its way to it, or what it rejected. */
function proxyLine({ node, protocol, types }: ProxyStatus, colours: Colours): string {
  const holds = types.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const rejected = types.filter((type) => type.rejected !== null).map(({ type }) => type);
  const refused = rejected.length === 0 ? "" : `, ${colours.red(`rejected a ${rejected.join(" and a ")}`)}`;
  return `Envoy ${node} holds ${holds} resources, ${step(types, colours)}${refused} (${protocol})`;
}

function proxyTitle({ node, protocol, connectedAt, types }: ProxyStatus, view: StatusView): string[] {
  const { colours, now, width } = view;
  const since = `${protocol}, connected for ${ago(connectedAt, now)}`;
  return wrap(`Envoy ${colours.bold(node)}  ${step(types, colours)}  ${since}`, width, "  ");
}

function step(types: ProxyStatus["types"], colours: Colours): string {
  const outstanding = types.reduce((sum, type) => sum + type.outstanding, 0);
  return outstanding === 0 ? colours.green("in step") : colours.yellow(`${outstanding} on their way`);
}

/** Each resource type: what the proxy asked for, how often it was answered, what came of it, and what it rejected. */
function proxyTable({ types }: ProxyStatus, { colours, now, width }: StatusView): string[] {
  const rows = types.map(({ type, subscribed, sent, acknowledged, outstanding }) => [
    type,
    subscribed === "*" ? "all" : String(subscribed),
    String(sent),
    String(acknowledged),
    String(outstanding),
  ]);
  const rejections = types.flatMap(({ type, rejected }) => {
    if (rejected === null) return [];
    const message = rejected.message.replaceAll(/\s+/g, " ");
    const lines = wrap(`rejected a ${type} ${ago(rejected.at, now)} ago: ${message}`, width, "  ");
    return lines.map((line) => colours.red(line));
  });
  const head = ["RESOURCES", "SUBSCRIBED", "RESPONSES", "HOLDS", "ON THEIR WAY"];
  return [...renderTable(head, rows, width), ...rejections];
}

function processRow(child: ChildStatus, colours: Colours, now: number): string[] {
  const { name, state, pid, restarts, since, lastExit } = child;
  const id = pid === null ? "-" : String(pid);
  return [name, paint(state, colours), id, String(restarts), ago(since, now), lastExit ?? "-"];
}

function serviceRow(status: ServiceStatus, colours: Colours): string[] {
  const { service, origin } = status;
  return [service.name, paint(status.state, colours), service.protocol, origin, service.url];
}

function paint(state: string, colours: Colours): string {
  if (state === "ready" || state === "serving") return colours.green(state);
  if (state === "failed" || state === "backoff") return colours.red(state);
  return colours.yellow(state);
}

function ago(since: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
