import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const binary = join(import.meta.dirname, "../../../.tools/envoy-1.40.0/envoy");

/** Why tests with the real Envoy are skipped; false when it is there. */
export const envoyMissing = existsSync(binary) ? false : `Envoy is not at ${binary}`;

/** A folder for the sockets of one test. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "xds-"));
}

/** A real Envoy that takes everything from an xDS server on `folder/xds.sock`. */
export type Envoy = AsyncDisposable & {
  readonly process: ChildProcess;
  /** Asks the admin interface. */
  readonly admin: (path: string) => Promise<string>;
  /** The value of a counter or gauge; 0 before it exists. */
  readonly stat: (name: string) => Promise<number>;
  readonly log: () => string;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
};

/** Starts an Envoy whose node id is `node`; it is up when its admin interface answers. */
export async function startEnvoy(
  folder: string,
  node: string,
  protocol: "delta" | "sotw",
  xds = join(folder, "xds.sock"),
): Promise<Envoy> {
  const home = join(folder, node);
  mkdirSync(home, { recursive: true });
  const adminPath = join(home, "admin.sock");
  const config = join(home, "bootstrap.json");
  writeFileSync(config, JSON.stringify(bootstrap(node, protocol, xds, adminPath)));
  const args = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c", config];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited = once(child, "exit");
  const admin = async (path: string) => (await get(adminPath, path, "admin")).body;
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  await until(async () => (await admin("/server_info")) !== "", 10_000);
  const stat = async (name: string) => {
    const line = (await admin(`/stats?filter=^${name.replaceAll(".", "\\.")}$`)).trim();
    return line === "" ? 0 : Number(line.slice(line.lastIndexOf(" ")));
  };
  return { process: child, admin, stat, log: () => log, kill, [Symbol.asyncDispose]: () => kill("SIGKILL") };
}

/** Waits until a condition holds; an error counts as not yet. Fails after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 5_000,
  pauseMs = 5,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(pauseMs);
  }
  throw new Error(`The condition did not come true within ${timeoutMs} ms: ${condition}`, { cause: last });
}

/** A request over a Unix socket. */
export function get(
  socketPath: string,
  path: string,
  host: string,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, headers: { host }, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject).end();
  });
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

function bootstrap(id: string, protocol: "delta" | "sotw", xds: string, admin: string) {
  const source = { resource_api_version: "V3", ads: {} };
  return {
    node: { id, cluster: "test" },
    admin: { address: { pipe: { path: admin } } },
    dynamic_resources: {
      lds_config: source,
      cds_config: source,
      ads_config: {
        api_type: protocol === "delta" ? "DELTA_GRPC" : "GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    stats_flush_on_admin: true,
    static_resources: { clusters: [xdsCluster(xds)] },
  };
}

function xdsCluster(path: string) {
  const options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name: "xds",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": options,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: "xds",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}
