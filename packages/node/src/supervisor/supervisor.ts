import { existsSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAnyAddress, parseAddress } from "@catalyst/config";
import { type ClaimOutcome, claimFolder, replaceFileSync } from "@catalyst/durable";
import { readAdmin } from "@catalyst/envoy";
import {
  type Connection,
  connectRpc,
  keepConnected,
  orchestratorContract,
  socketPath,
  supervisorContract,
} from "@catalyst/rpc";
import { prepareDataDir } from "../data-dir.ts";
import { NodeError } from "../errors.ts";
import { readAuthorities, readCertificate } from "../identity/certificate.ts";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { type ProcessFrame, runProcess } from "../process.ts";
import { defaultChildTimings } from "./child.ts";
import { type SupervisedChild, superviseChild } from "./child-process.ts";
import {
  type EnvoyLaunch,
  type EnvoyProgram,
  envoyChild,
  prepareEnvoy,
  usableEnvoy,
} from "./envoy-process.ts";
import { type ChildSample, createSupervisorEvents, type SupervisorEvents } from "./events.ts";
import { ChildRecord } from "./leftovers.ts";
import { trimLogs } from "./log-files.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { checkAddresses, checkReadable, type EnvoySources } from "./preflight.ts";
import { usageOf } from "./process-usage.ts";
import { Replay } from "./replay.ts";
import { socketProbe } from "./socket-probe.ts";
import { type Endpoint, SupervisorView } from "./supervisor-view.ts";

/** What the supervisor needs to know of the world that it was started in. */
export type SupervisorParts = {
  /** Starts one of our own processes: `[node, main.ts]`; the name and `--config FILE` are added. */
  readonly command: readonly [string, ...string[]];
  /** The environment that children get; variables of the configuration are taken out of it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly envoy: Omit<EnvoySources, "configured">;
  /** Called when the node begins to end. */
  readonly onStopping?: () => void;
  /** What comes before the processes start, once it is known that the node can run. Default nothing. */
  readonly prepare?: () => Promise<void>;
};

/** The orchestrator is taken to be away when it leaves a call unanswered for this long. */
const silenceMs = 2_000;
const askEveryMs = 1_000;
/** One that starts with the whole node is not away before this time: it lets clients in when there is what they come for. */
const firstStartMs = 10_000;
const trimEveryMs = 1_000;
/** At the end, requests under way have this long before subscriptions are ended. */
const patienceMs = 1_000;
/** How long the peers of a node may take to send nothing more to it. */
const leaveMs = 500;
/** How much longer than its own drain a child may take to end before it is killed. */
const graceMs = 5_000;

/**
 * Runs the whole node: checks that it can run, ends what a killed predecessor left, starts Envoy and our own
 * processes, and keeps them running until it is asked to end.
 *
 * Throws {@link NodeError} when the node cannot run; nothing is left running then.
 */
export async function runSupervisor(
  config: NodeConfig,
  dataDir: string,
  parts: SupervisorParts,
): Promise<void> {
  // Nothing is made for a node that cannot run. Where one ran before, what it left is ended first: it holds ports.
  const early = existsSync(dataDir) ? null : await checkSurroundings(config, parts);
  prepareDataDir(dataDir);
  using _claim = claim(dataDir);
  const record = new ChildRecord(paths.children(dataDir));
  const leftovers = await record.endLeftovers();
  const envoy = early ?? (await checkSurroundings(config, parts));
  await parts.prepare?.();
  const launch = prepareEnvoy(config, dataDir, envoy);
  await runProcess("supervisor", supervisorContract, config, dataDir, async (frame, resources) => {
    frame.stopping.addEventListener("abort", () => parts.onStopping?.());
    const events = createSupervisorEvents(frame.logger, frame.metrics);
    events.leftoversEnded(leftovers);
    const children = childrenOf(frame, events, parts, launch, record);
    const replay = resources.use(
      new Replay({
        socketPath: paths.replaySocket(dataDir),
        journalPath: paths.envoyJournal(dataDir),
        credentialsPath: paths.credentials(dataDir),
        logger: frame.logger,
      }),
    );
    const watching = watchOrchestrator(frame, replay);
    const trimming = setInterval(() => trim(dataDir, events), trimEveryMs);
    resources.defer(() => {
      clearInterval(trimming);
      return watching;
    });
    resources.defer(async () => {
      await Promise.all(children.map((child) => child.stop()));
    });
    for (const child of children) child.start();
    const endpoints = () => endpointsOf(config, frame.telemetryAddress());
    const view = new SupervisorView({ config, children, replay, endpoints });
    return {
      details: () => view.details(),
      readiness: () => view.readiness(),
      http: nodeMetrics({
        dataDir,
        metrics: frame.metrics,
        adminSocket: launch.adminSocket,
        sample: () => events.sampled(children.map(sampleOf)),
      }),
      drain: () => stopInOrder(children, dataDir, launch.adminSocket, config.mesh.graphql.drainMs),
      abandon: async () => {
        await Promise.all(children.map((child) => child.stop({ hard: true })));
      },
      implementation: {
        check: () => view.check(),
        explain: ({ subject, name }) => view.explain(subject, name),
      },
    };
  });
}

function tryClaim(dataDir: string): ClaimOutcome {
  try {
    return claimFolder(dataDir, { role: "supervisor" });
  } catch (error) {
    const why = (error as Error).message;
    throw new NodeError(
      "data_dir_unusable",
      `${dataDir} cannot be claimed: ${why}. If no node runs there, remove supervisor.lock, or choose another directory with --node-data-dir`,
      { cause: error },
    );
  }
}

/** One supervisor per data directory. Throws {@link NodeError} `node_running`. */
function claim(dataDir: string): Disposable {
  const outcome = tryClaim(dataDir);
  if (outcome.kind === "claimed") return outcome.claim;
  const owner = outcome.ownerPid === null ? "another process" : `process ${outcome.ownerPid}`;
  throw new NodeError(
    "node_running",
    `${owner} runs a node in ${dataDir} already: stop it, or choose another directory with --node-data-dir`,
  );
}

/**
 * Lets clients finish: other nodes are told first that nothing is to be had here any more. Then Envoy tells those that are
 * there to leave, and takes no new ones. Then the gateway ends its subscriptions, which would not end by themselves, and
 * finishes what runs, still through Envoy. Envoy goes after them, and last who configures it, and who says whose requests
 * are let in.
 */
async function stopInOrder(
  children: readonly SupervisedChild[],
  dataDir: string,
  adminSocket: string,
  drainMs: number,
): Promise<void> {
  const stop = (name: string) => children.find((child) => child.name === name)?.stop();
  await leavePeers(dataDir);
  const envoy = readAdmin(adminSocket);
  const notRunning = () => 0;
  const drained = envoy.drain({ timeoutMs: drainMs }).catch(notRunning);
  await Promise.race([drained, sleep(patienceMs)]);
  await Promise.all([stop("gateway"), stop("content")]);
  await drained;
  await envoy.drainEgress({ timeoutMs: patienceMs }).catch(notRunning);
  await stop("envoy");
  await Promise.all([stop("orchestrator"), stop("auth")]);
}

/** Resolves when the Envoys of other nodes have had the time to go elsewhere. */
async function leavePeers(dataDir: string): Promise<void> {
  try {
    using orchestrator = await connectRpc(socketPath(dataDir, "orchestrator"), orchestratorContract);
    const { peers } = await orchestrator.call.leave(undefined, { timeoutMs: leaveMs });
    if (peers > 0) await sleep(leaveMs);
  } catch {
    // It does not run: then nobody hears of it, and other nodes find out.
  }
}

function sampleOf(child: SupervisedChild): ChildSample {
  const status = child.status();
  return { status, uptimeMs: child.uptimeMs(), usage: status.pid === null ? null : usageOf(status.pid) };
}

function childrenOf(
  frame: ProcessFrame,
  events: SupervisorEvents,
  parts: SupervisorParts,
  launch: EnvoyLaunch,
  record: ChildRecord,
): SupervisedChild[] {
  const { config, dataDir } = frame;
  const configFile = paths.childConfig(dataDir);
  const own = {
    ...config,
    telemetry: { ...config.telemetry, listen: "off" },
    node: { ...config.node, dataDir },
  };
  replaceFileSync(configFile, JSON.stringify(own), { mode: 0o600 });
  const env = childEnvironment(parts.env);
  const [program, ...rest] = parts.command;
  const logFile = (name: string) => join(paths.logs(dataDir), `${name}.log`);
  const supervision = {
    events,
    onSpawn: (name: string, pid: number) => {
      try {
        record.note(name, pid);
      } catch (error) {
        // A full disk must not end the node; the kernel ends children with their parent anyway.
        events.childNotRecorded(name, error);
      }
    },
    timings: { ...defaultChildTimings, stopMs: config.mesh.graphql.drainMs + graceMs },
  };
  const ours = (["auth", "orchestrator", "gateway", "content"] as const).map((name) =>
    superviseChild(
      {
        name,
        command: [program, helpers, ...engineFlags[name], ...rest, name, "--config", configFile],
        env,
        logFile: logFile(name),
        probe: socketProbe(socketPath(dataDir, name), "/readyz"),
      },
      supervision,
    ),
  );
  return [superviseChild(envoyChild(launch, env, logFile("envoy")), supervision), ...ours];
}

/**
 * Auth keeps much and makes little: a small young generation costs it nothing, and saves a third of its memory. The
 * orchestrator makes much when a peer tells thousands of routes: with 2 MB that takes three times as long. Most of what it
 * does it does seldom, and somebody waits for it: code that is compiled at its first calls takes a fifth off the way of a
 * route from peer to Envoy. The gateway lives on short-lived objects and keeps the engine's defaults. What the content
 * process moves is outside of the heap: a small young generation lets go of it sooner.
 */
const engineFlags = {
  auth: ["--max-semi-space-size=2", "--heap-growing-percent=30"],
  orchestrator: ["--max-semi-space-size=8", "--heap-growing-percent=30", "--no-lazy-feedback-allocation"],
  gateway: [],
  content: ["--max-semi-space-size=2"],
} as const;

/**
 * The engine gives each process four threads that collect and compile beside the first, whatever the cores. On two cores they kept
 * the first ones of all processes waiting: of 40 routes that came while others did the slowest took 9 to 54 ms, with one such thread
 * 11 to 23. So many as there are cores beside one, one at least and no more than four.
 */
const helpers = `--v8-pool-size=${Math.min(4, Math.max(1, availableParallelism() - 1))}`;

/**
 * Children take their configuration from the file alone. One arena keeps glibc from hoarding what was freed; what was
 * compiled once saves each of them the compiler, and its memory.
 */
function childEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const compiled = getCompileCacheDir();
  const kept: Record<string, string> = {
    NODE_ENV: "production",
    MALLOC_ARENA_MAX: "1",
    ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) }),
  };
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (!name.startsWith("CATALYST_") || name === "CATALYST_FAILPOINT") kept[name] = value;
  }
  return kept;
}

/** Tells the replay whether the orchestrator is there: connected, and answering in time. */
function watchOrchestrator(frame: ProcessFrame, replay: Replay): Promise<void> {
  const path = socketPath(frame.dataDir, "orchestrator");
  const since = performance.now();
  let wasThere = false;
  const away = () => {
    if (wasThere || performance.now() - since > firstStartMs) replay.orchestratorIs("away");
  };
  const options = { signal: frame.stopping, timeoutMs: silenceMs, maxDelayMs: 250, onFailure: away };
  return keepConnected(path, orchestratorContract, options, (connection, during) => {
    wasThere = true;
    return ask(connection, during, replay);
  });
}

/** Asks it every second, for as long as the connection lasts; one that stays silent is given up. */
async function ask(
  connection: Connection<typeof orchestratorContract>,
  during: AbortSignal,
  replay: Replay,
): Promise<void> {
  const { name, versions } = orchestratorContract;
  while (!during.aborted) {
    await connection.call.hello({ contract: name, versions: [...versions] });
    replay.orchestratorIs("there");
    await sleep(askEveryMs, undefined, { signal: during }).catch(() => undefined);
  }
}

/** Whether a node can run here: its files, its addresses and its Envoy. Throws {@link NodeError}; makes nothing. */
async function checkSurroundings(config: NodeConfig, parts: SupervisorParts): Promise<EnvoyProgram> {
  checkCertificate(config);
  checkReadable("mesh.graphql.persistedDocuments.path", config.mesh.graphql.persistedDocuments.path);
  await checkAddresses(listenAddresses(config));
  return usableEnvoy({ ...parts.envoy, configured: config.mesh.envoy.path });
}

/** Certificates that cannot be used are told before anything starts. Throws {@link NodeError} `certificate_invalid`. */
function checkCertificate({ mesh }: NodeConfig): void {
  const { certificateFile, privateKeyFile, authoritiesFile } = mesh.tls;
  if (authoritiesFile !== undefined) readAuthorities(authoritiesFile);
  const given = certificateFile !== undefined && privateKeyFile !== undefined;
  if (given && mesh.listen.ingressTls !== undefined) readCertificate({ certificateFile, privateKeyFile });
}

function trim(dataDir: string, events: SupervisorEvents): void {
  try {
    trimLogs(paths.logs(dataDir));
  } catch (error) {
    events.logNotTrimmed(error);
  }
}

function listenAddresses(config: NodeConfig): Record<string, string> {
  const { ingress, ingressTls, egress, mesh } = config.mesh.listen;
  return {
    ingress,
    ...(ingressTls === undefined ? {} : { "ingress-tls": ingressTls }),
    egress,
    ...(mesh === undefined ? {} : { "listen-mesh": mesh }),
    ...Object.fromEntries(config.mesh.tcp.map(({ name, listen }) => [`tcp name=${name},listen=…`, listen])),
    ...(config.telemetry.listen === "off" ? {} : { "telemetry-listen": config.telemetry.listen }),
  };
}

function endpointsOf(config: NodeConfig, telemetry: string | null): Endpoint[] {
  const { ingress, ingressTls } = config.mesh.listen;
  return [
    { name: "GraphQL", url: `http://${reachable(ingress)}/graphql` },
    ...(ingressTls === undefined
      ? []
      : [{ name: "GraphQL (TLS)", url: `https://${reachable(ingressTls)}/graphql` }]),
    ...(telemetry === null ? [] : [{ name: "Metrics", url: `http://${reachable(telemetry)}/metrics` }]),
  ];
}

/** An address to connect to for one that is listened on: any address becomes this machine. */
function reachable(listen: string): string {
  const address = parseAddress(listen);
  return isAnyAddress(address) ? `127.0.0.1:${address.port}` : listen;
}
