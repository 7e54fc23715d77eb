/** What a bootstrap is made from. Socket paths are absolute. */
export type BootstrapOptions = {
  readonly node: string;
  readonly domain: string;
  /** Where Envoy serves its administration, mode 0600. */
  readonly adminSocket: string;
  /** The orchestrator's xDS socket. */
  readonly xdsSocket: string;
  /** Where the last good configuration is served while the orchestrator is away. */
  readonly replaySocket: string;
  /** How much memory Envoy may have. Default 2 GiB. */
  readonly maxHeapBytes?: number | undefined;
};

/** Name of the static cluster that Envoy takes its configuration from. */
export const xdsCluster = "xds";

const monitors = "envoy.extensions.resource_monitors";
const heapMonitor = "envoy.resource_monitors.fixed_heap";

/**
 * How many connections from clients are taken at once, on all listeners, and how much memory Envoy may have. At the
 * bound requests are answered with 503 until there is room again.
 */
function overload(maxHeapBytes: number) {
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: {
          "@type": `type.googleapis.com/${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: 50_000,
        },
      },
      {
        name: heapMonitor,
        typed_config: {
          "@type": `type.googleapis.com/${monitors}.fixed_heap.v3.FixedHeapConfig`,
          max_heap_size_bytes: maxHeapBytes,
        },
      },
    ],
    actions: [
      {
        name: "envoy.overload_actions.stop_accepting_requests",
        triggers: [{ name: heapMonitor, threshold: { value: 1 } }],
      },
    ],
  };
}

const defaultMaxHeapBytes = 2 ** 31;

/**
 * Envoy's bootstrap, as JSON. It holds no listener and no service: all of these come over one aggregated stream,
 * from the orchestrator, or from the replay socket while the orchestrator's does not accept connections.
 *
 * ```ts
 * writeFileSync(path, JSON.stringify(bootstrap({ node: "n1", domain, adminSocket, xdsSocket, replaySocket })));
 * ```
 */
export function bootstrap(options: BootstrapOptions): Record<string, unknown> {
  const source = { resource_api_version: "V3", ads: {}, initial_fetch_timeout: "0s" };
  return {
    node: { id: `${options.node}.${options.domain}`, cluster: options.domain },
    admin: { address: pipe(options.adminSocket, 0o600) },
    application_log_config: { log_format: { json_format: logLine } },
    dynamic_resources: { lds_config: source, cds_config: source, ads_config: ads },
    static_resources: { clusters: [controlPlane(options)] },
    deferred_stat_options: { enable_deferred_creation_stats: true },
    stats_flush_on_admin: true,
    stats_config: { stats_matcher: { exclusion_list: { patterns: [{ safe_regex: { regex: idleStats } }] } } },
    bootstrap_extensions: [internalListeners],
    overload_manager: overload(options.maxHeapBytes ?? defaultMaxHeapBytes),
  };
}

/** Lets Envoy have listeners inside of itself. */
const internalListeners = {
  name: "envoy.bootstrap.internal_listener",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
  },
};

/**
 * What each cluster counts before its first request. Left out, because with 10,000 services it is most of what a
 * scrape returns and 80 MB in Envoy, and says nothing that the resources do not.
 */
const idleStats =
  "cluster[.].*[.](membership_(change|degraded|excluded|total)|warming_state|update_.*|version|max_host_weight|" +
  "default_total_match_count|lb_.*|assignment_.*|init_fetch_timeout|external[.].*|internal[.].*)";

/** Envoy's own log, in the form of the node's other processes. */
const logLine = {
  time: "%Y-%m-%dT%T.%e%z",
  level: "%l",
  process: "envoy",
  component: "%n",
  msg: "%j",
};

const ads = {
  api_type: "DELTA_GRPC",
  transport_api_version: "V3",
  set_node_on_first_message_only: true,
  grpc_services: [
    {
      envoy_grpc: {
        cluster_name: xdsCluster,
        retry_policy: { retry_back_off: { base_interval: "0.05s", max_interval: "0.25s" } },
      },
    },
  ],
};

/**
 * The orchestrator first, the replay socket second. Which one answers is found out by asking, four times a
 * second, so that Envoy never waits for a dead one; no panic mode, which would choose at random, and no merging
 * of what was found out, which would delay it by a second.
 */
function controlPlane({ xdsSocket, replaySocket }: BootstrapOptions) {
  const endpoint = (path: string, priority: number) => ({
    priority,
    lb_endpoints: [{ endpoint: { address: pipe(path) } }],
  });
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name: xdsCluster,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "10s", timeout: "5s" } },
        },
      },
    },
    close_connections_on_host_health_failure: true,
    common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: "0s" },
    health_checks: [
      {
        timeout: "0.5s",
        interval: "0.25s",
        no_traffic_interval: "0.25s",
        no_traffic_healthy_interval: "0.25s",
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        grpc_health_check: {},
      },
    ],
    load_assignment: {
      cluster_name: xdsCluster,
      endpoints: [endpoint(xdsSocket, 0), endpoint(replaySocket, 1)],
    },
  };
}

function pipe(path: string, mode?: number) {
  return { pipe: mode === undefined ? { path } : { path, mode } };
}
