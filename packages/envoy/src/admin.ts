import { setTimeout as sleep } from "node:timers/promises";
import { RpcError, requestSocket, type SocketAnswer } from "@catalyst/rpc";
import { z } from "zod";
import { EnvoyError } from "./errors.ts";
import { hostScope } from "./scope-key.ts";
import { isTcpCluster } from "./tcp-cluster.ts";

/** What an Envoy says of itself. */
export type EnvoyInfo = {
  /** `live` serves; `pre_initializing` and `initializing` wait for the first configuration; `draining` ends. */
  readonly state: "live" | "draining" | "pre_initializing" | "initializing";
  readonly release: string;
  readonly uptimeMs: number;
  readonly concurrency: number;
};

/** What an Envoy has for one Host. */
export type EnvoyView = {
  /** Version of its cluster's resource; null when there is none. */
  readonly clusterVersion: string | null;
  /** Whether the Host selects a scope that has its routes. */
  readonly routed: boolean;
  /** Of its clusters in their order. */
  readonly endpoints: readonly { readonly address: string; readonly healthy: boolean }[];
};

/** Envoy's administration interface. Every call throws {@link EnvoyError} `admin_…`. */
export type EnvoyAdmin = {
  readonly info: () => Promise<EnvoyInfo>;
  /** Metrics in the text format of Prometheus, of what was used at least once. */
  readonly metrics: () => Promise<string>;
  /**
   * The clusters that leave an endpoint alone because requests to it failed, by the names under which they are
   * counted. Envoy looks through all its clusters for it: 60 ms with 10,000, in which it takes no configuration.
   */
  readonly ejecting: () => Promise<ReadonlySet<string>>;
  /** What the Envoy has in force for a Host, for explanations; `clusters` are those of its endpoints, by default the one of that name. */
  readonly view: (host: string, clusters?: readonly string[]) => Promise<EnvoyView>;
  /**
   * Tells clients and other nodes to leave, takes no new ones a moment later, and waits until no request of theirs is
   * under way, `timeoutMs` at the longest; returns how many still are. Egress stays open for the gateway. Envoy is to be
   * stopped afterwards.
   */
  readonly drain: (limit: { readonly timeoutMs: number }) => Promise<number>;
  /** Does the same with egress, when the gateway has ended. */
  readonly drainEgress: (limit: { readonly timeoutMs: number }) => Promise<number>;
};

/** Reads an Envoy's administration interface on its socket. Each call ends after `timeoutMs`, 5,000 by default. */
export function readAdmin(socketPath: string, { timeoutMs = 5_000 } = {}): EnvoyAdmin {
  const read = (path: string) => ask(socketPath, "GET", path, timeoutMs);
  const readJson = async <S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> => {
    const parsed = schema.safeParse(parseJson(await read(path)));
    if (parsed.success) return parsed.data;
    throw new EnvoyError("admin_unexpected", `${path}: ${z.prettifyError(parsed.error)}`);
  };
  const post = (path: string) => ask(socketPath, "POST", path, timeoutMs);
  /** Waits until nobody is there any more; for those that only stay connected and ask for nothing, a moment. */
  const gone = async (path: string, end: number) => {
    const idleUntil = Math.min(end, performance.now() + idleMs);
    for (;;) {
      const { stats } = await readJson(path, gauges);
      const sum = (what: string) =>
        stats.reduce((total, { name, value = 0 }) => (name.endsWith(what) ? total + value : total), 0);
      const [active, connected, now] = [sum("rq_active"), sum("cx_active"), performance.now()];
      if (now > end || (active === 0 && (connected === 0 || now > idleUntil))) return active;
      await sleep(drainPollMs);
    }
  };
  const hasRoutes = async (name: string) => {
    const { configs } = await readJson(dumpPath("dynamic_route_configs", pattern(name)), routesDump);
    return configs.some(({ route_config }) => route_config?.name === name);
  };
  const isRouted = async (host: string) => {
    const { name } = hostScope(host);
    const { configs } = await readJson(dumpPath("dynamic_scoped_route_configs", pattern(name)), scopeDump);
    const scopes = configs.flatMap(({ scoped_route_configs }) => scoped_route_configs);
    const scope = scopes.find(({ key }) => key.fragments[0]?.string_key === host);
    if (scope === undefined) return false;
    const routes = scope.route_configuration_name;
    return routes === "" || (await hasRoutes(routes));
  };
  return {
    info: async () => toInfo(await readJson("/server_info", serverInfo)),
    metrics: () => read("/stats/prometheus?usedonly"),
    drain: async ({ timeoutMs: limitMs }) => {
      const end = performance.now() + limitMs;
      // Other nodes are told so when they ask next, and who has a connection with the next answer.
      await post("/healthcheck/fail");
      await post("/drain_listeners?graceful&inboundonly");
      await sleep(Math.min(lastTurnMs, limitMs));
      await post("/drain_listeners?inboundonly");
      return await gone(fromOutside, end);
    },
    drainEgress: async ({ timeoutMs: limitMs }) => {
      const end = performance.now() + limitMs;
      await post("/drain_listeners");
      return await gone(fromInside, end);
    },
    ejecting: async () => toEjecting((await readJson(ejections, gauges)).stats),
    view: async (host, clusterNames = [host]) => {
      const each = <T>(read: (pattern: string) => Promise<T>) =>
        Promise.all(clusterNames.map((name) => read(pattern(name))));
      const [dumps, isInScope, statuses] = await Promise.all([
        each((name) => readJson(dumpPath("dynamic_active_clusters", name), clusterDump)),
        isRouted(host),
        each((filter) =>
          readJson(`/clusters?${new URLSearchParams({ format: "json", filter })}`, clusterStatuses),
        ),
      ]);
      const held = dumps.flatMap(({ configs }) =>
        configs.filter(({ cluster }) => clusterNames.includes(cluster.name)),
      );
      return {
        clusterVersion: held[0]?.version_info ?? null,
        routed: isInScope || held.some(({ cluster }) => isTcpCluster(cluster.name)),
        endpoints: clusterNames.flatMap((wanted, index) => {
          const status = statuses[index]?.cluster_statuses.find(({ name }) => name === wanted);
          return status?.host_statuses.map(toEndpoint) ?? [];
        }),
      };
    },
  };
}

const activeOn = (listeners: string) =>
  `/stats?${new URLSearchParams({
    format: "json",
    filter: `^http[.](${listeners})[.]downstream_(rq|cx)_active$`,
  })}`;
const fromOutside = activeOn("ingress|ingress-tls|mesh");
const fromInside = activeOn("egress|egress-gateway");
/** Who has a connection and asks again within this time is told that it was the last time. */
const lastTurnMs = 250;
/** Connections that are not used are waited for this long: that they are told to leave needs a request. */
const idleMs = 500;
const drainPollMs = 25;
const ejections = `/stats?${new URLSearchParams({
  format: "json",
  type: "Gauges",
  filter: "[.]outlier_detection[.]ejections_active$",
})}`;
const gauges = z.object({
  stats: z.array(z.object({ name: z.string().default(""), value: z.number().optional() })),
});

const ejectionsOf = /^cluster\.(.*)\.outlier_detection\.ejections_active$/;

function toEjecting(stats: z.output<typeof gauges>["stats"]): Set<string> {
  const active = stats.filter(({ value = 0 }) => value > 0);
  return new Set(active.map(({ name }) => ejectionsOf.exec(name)?.[1] ?? name));
}

const serverInfo = z.object({
  state: z.enum(["LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"]),
  version: z.string(),
  uptime_current_epoch: z.string(),
  command_line_options: z.object({ concurrency: z.number() }),
});

function toInfo(info: z.output<typeof serverInfo>): EnvoyInfo {
  return {
    state: info.state.toLowerCase() as EnvoyInfo["state"],
    release: info.version.split("/")[1] ?? info.version,
    uptimeMs: Math.round(Number.parseFloat(info.uptime_current_epoch) * 1_000),
    concurrency: info.command_line_options.concurrency,
  };
}

const version_info = z.string().default("");
const clusterDump = z.object({
  configs: z.array(z.object({ version_info, cluster: z.object({ name: z.string() }) })).default([]),
});
const scope = z.object({
  key: z.object({ fragments: z.array(z.object({ string_key: z.string() })) }),
  route_configuration_name: z.string().default(""),
});
const scopeDump = z.object({
  configs: z.array(z.object({ scoped_route_configs: z.array(scope).default([]) })).default([]),
});
const routesDump = z.object({
  configs: z.array(z.object({ route_config: z.object({ name: z.string() }).optional() })).default([]),
});
const hostStatus = z.object({
  address: z.object({
    socket_address: z.object({ address: z.string(), port_value: z.number() }).optional(),
    pipe: z.object({ path: z.string() }).optional(),
    envoy_internal_address: z.object({ endpoint_id: z.string().default("") }).optional(),
  }),
  health_status: z.object({ eds_health_status: z.string().default("UNKNOWN") }).loose(),
});
const clusterStatuses = z.object({
  cluster_statuses: z
    .array(z.object({ name: z.string(), host_statuses: z.array(hostStatus).default([]) }))
    .default([]),
});

function toEndpoint({ address, health_status }: z.output<typeof hostStatus>) {
  const { socket_address: socket, pipe, envoy_internal_address: behindWayOut } = address;
  const failed = Object.keys(health_status).some((key) => key.startsWith("failed_"));
  return {
    address:
      socket === undefined
        ? (pipe?.path ?? behindWayOut?.endpoint_id ?? "")
        : `${socket.address}:${socket.port_value}`,
    healthy: !failed && ["HEALTHY", "UNKNOWN"].includes(health_status.eds_health_status),
  };
}

function dumpPath(resource: string, pattern: string): string {
  return `/config_dump?${new URLSearchParams({ resource, name_regex: pattern })}`;
}

/** Envoy takes no regular expression that compiles to more than a hundred steps. */
const longestPattern = 48;
const endsOf = 20;

/** A regular expression for this name; where it is long, for few others besides. */
function pattern(name: string): string {
  const escaped = (text: string) => text.replaceAll(/[^A-Za-z0-9-]/g, "\\$&");
  if (name.length <= longestPattern) return `^${escaped(name)}$`;
  return `^${escaped(name.slice(0, endsOf))}.*${escaped(name.slice(-endsOf))}$`;
}

async function ask(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  timeoutMs: number,
): Promise<string> {
  let answer: SocketAnswer;
  try {
    answer = await requestSocket({ socketPath, method, path, timeoutMs });
  } catch (cause) {
    if (cause instanceof RpcError && cause.code === "invalid_response") {
      throw new EnvoyError("admin_unexpected", cause.message, { cause });
    }
    throw new EnvoyError("admin_unreachable", `Envoy does not answer on ${socketPath}`, { cause });
  }
  if (answer.status === 200) return answer.body;
  throw new EnvoyError("admin_unexpected", `${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
