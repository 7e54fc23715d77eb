import { replaceFileSync } from "@catalyst/durable";
import { bootstrap, envoyArguments, envoyRelease } from "@catalyst/envoy";
import type { ChildSpec } from "./child-process.ts";
import type { NodeConfig } from "./options.ts";
import { paths } from "./paths.ts";
import { type EnvoySources, envoyVersion, findEnvoy } from "./preflight.ts";
import { socketProbe } from "./socket-probe.ts";

/** All that is needed to start Envoy. */
export type EnvoyLaunch = {
  readonly binary: string;
  readonly version: string;
  readonly bootstrapPath: string;
  readonly adminSocket: string;
  readonly concurrency: number | undefined;
};

/** What an Envoy of this node is started with: where it finds its configuration, and nothing else. */
export function envoyBootstrap(config: NodeConfig, dataDir: string): Record<string, unknown> {
  return bootstrap({
    node: config.node.name,
    domain: config.node.domain,
    adminSocket: paths.adminSocket(dataDir),
    xdsSocket: paths.xdsSocket(dataDir),
    replaySocket: paths.replaySocket(dataDir),
    maxHeapBytes: config.mesh.envoy.maxMemoryMegabytes * 1_000_000,
  });
}

/** Finds Envoy, asks it for its version, and writes its bootstrap. Throws {@link NodeError}. */
export async function prepareEnvoy(
  config: NodeConfig,
  dataDir: string,
  sources: Omit<EnvoySources, "configured">,
): Promise<EnvoyLaunch> {
  const binary = findEnvoy({ ...sources, configured: config.mesh.envoy.path }, envoyRelease);
  const version = await envoyVersion(binary);
  const bootstrapPath = paths.bootstrap(dataDir);
  replaceFileSync(bootstrapPath, JSON.stringify(envoyBootstrap(config, dataDir)), { mode: 0o600 });
  return {
    binary,
    version,
    bootstrapPath,
    adminSocket: paths.adminSocket(dataDir),
    concurrency: config.mesh.envoy.concurrency,
  };
}

/** How the supervisor starts an Envoy with a bootstrap, beginning with the program. */
export function envoyCommand(
  binary: string,
  bootstrapPath: string,
  concurrency: number | undefined,
): [string, ...string[]] {
  return [binary, ...envoyArguments({ bootstrapPath, concurrency })];
}

/** Envoy as a child of the supervisor. */
export function envoyChild(
  launch: EnvoyLaunch,
  env: Readonly<Record<string, string>>,
  logFile: string,
): ChildSpec {
  const { binary, bootstrapPath, adminSocket, concurrency } = launch;
  return {
    name: "envoy",
    command: envoyCommand(binary, bootstrapPath, concurrency),
    env,
    logFile,
    probe: socketProbe(adminSocket, "/ready"),
  };
}
