import { replaceFileSync } from "@catalyst/durable";
import { bootstrap, envoyArguments, envoyRelease } from "@catalyst/envoy";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import type { ChildSpec } from "./child-process.ts";
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

/** An Envoy that runs on this machine. */
export type EnvoyProgram = Pick<EnvoyLaunch, "binary" | "version">;

/** Finds Envoy, and asks it for its version. Throws {@link NodeError} `envoy_missing` or `envoy_unusable`. */
export async function usableEnvoy(sources: EnvoySources): Promise<EnvoyProgram> {
  const binary = findEnvoy(sources, envoyRelease);
  return { binary, version: await envoyVersion(binary) };
}

/** Writes Envoy's bootstrap. */
export function prepareEnvoy(config: NodeConfig, dataDir: string, program: EnvoyProgram): EnvoyLaunch {
  const bootstrapPath = paths.bootstrap(dataDir);
  replaceFileSync(bootstrapPath, JSON.stringify(envoyBootstrap(config, dataDir)), { mode: 0o600 });
  return {
    ...program,
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
