import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "@catalyst/harness/free-ports";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { createXdsServer, defaultKey, type Resource, type XdsServer } from "@catalyst/xds";
import { bootstrap } from "../src/bootstrap.ts";
import type { MeshInput } from "../src/mesh.ts";
import { envoyArguments, envoyRelease } from "../src/process.ts";
import { servedHere } from "../src/reachable.ts";
import { MeshTranslation, type ServiceChange, type TranslationPlan } from "../src/translation.ts";

const project = join(import.meta.dirname, "..", "..", "..");

/** The Envoy of the set-up, or the one that `CATALYST_ENVOY` names. */
export const envoyBinary =
  process.env["CATALYST_ENVOY"] ?? join(project, ".tools", `envoy-${envoyRelease}`, "envoy");

/** Why tests with the real Envoy are skipped; false when it is there. */
export const envoyMissing = existsSync(envoyBinary) ? false : `Envoy is not at ${envoyBinary}`;

/** A real Envoy, configured by our xDS server with what the translation makes of its services. */
export type EnvoyUnderTest = AsyncDisposable & {
  readonly mesh: MeshInput;
  readonly folder: string;
  readonly child: ChildProcess;
  readonly xds: XdsServer;
  /** Brings a change in force; resolves when Envoy has acknowledged it. */
  readonly apply: (change: ServiceChange) => Promise<void>;
  /** What a change means, without bringing it in force. */
  readonly translate: (change: ServiceChange) => TranslationPlan;
  /** What Envoy wrote: its own log and its access log. */
  readonly output: () => string;
};

export type EnvoySetup = {
  readonly services?: readonly ServiceDeclaration[];
  readonly mesh?: Partial<Omit<MeshInput, "listen">>;
  readonly tls?: boolean;
  /** Whether other nodes bring their requests. */
  readonly nodes?: boolean;
  /** Whether the gateway has a way of its own to services, where the mesh demands credentials. */
  readonly gateway?: boolean;
  readonly maxHeapBytes?: number;
  /** Resources besides those of the translation. */
  readonly extra?: readonly Resource[];
};

/** Starts it; resolves when it serves. */
export async function startEnvoy(setup: EnvoySetup = {}): Promise<EnvoyUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "envoy-"));
  const mesh = await testMesh(folder, setup);
  const sockets = {
    adminSocket: join(folder, "admin.sock"),
    xdsSocket: join(folder, "xds.sock"),
    replaySocket: join(folder, "replay.sock"),
  };
  const xds = await createXdsServer({ listen: [`unix:${sockets.xdsSocket}`] });
  const translation = new MeshTranslation(mesh);
  const first = translation.plan({ put: (setup.services ?? []).map(servedHere) });
  translation.commit(first);
  xds.update(defaultKey, { upsert: [...translation.resources(), ...(setup.extra ?? [])] });
  const bootstrapPath = join(folder, "bootstrap.json");
  const { maxHeapBytes } = setup;
  const document = bootstrap({ node: "n1", domain: mesh.domain, ...sockets, maxHeapBytes });
  writeFileSync(bootstrapPath, JSON.stringify(document));
  const child = spawn(envoyBinary, envoyArguments({ bootstrapPath, concurrency: 1, flushMs: 50 }));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const settle = async () => {
    const settled = await xds.settled(defaultKey, { timeoutMs: 5_000 });
    const rejected = xds.quarantined();
    if (rejected.length > 0) throw new Error(`Envoy rejected ${JSON.stringify(rejected)}`);
    return settled;
  };
  const under: EnvoyUnderTest = {
    mesh,
    folder,
    child,
    xds,
    apply: async (change) => {
      const plan = translation.plan(change);
      translation.commit(plan);
      xds.update(defaultKey, plan);
      await settle();
    },
    translate: (change) => translation.plan(change),
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await xds.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await until(async () => (await fetch(`http://${at(mesh.listen.ingress)}/`)).status === 404, 15_000);
    await settle();
    return under;
  } catch (error) {
    await under[Symbol.asyncDispose]();
    throw new Error(`Envoy did not serve: ${output}`, { cause: error });
  }
}

async function testMesh(folder: string, setup: EnvoySetup): Promise<MeshInput> {
  const [ingress, egress, ingressTls, nodes] = await freePorts(4);
  const host = "127.0.0.1";
  const { auth } = setup.mesh ?? {};
  const way = setup.gateway === true ? { gatewaySocketPath: join(folder, "egress.sock") } : {};
  return {
    domain: "acme.catalyst.internal",
    node: "n1",
    gateway: { socketPath: join(folder, "gateway.sock") },
    ...setup.mesh,
    ...(auth === undefined ? {} : { auth: { ...auth, ...way } }),
    listen: {
      ingress: { host, port: ingress ?? 0 },
      egress: { host, port: egress ?? 0 },
      ...(setup.tls === true ? { ingressTls: { host, port: ingressTls ?? 0 } } : {}),
      ...(setup.nodes === true ? { mesh: { host, port: nodes ?? 0 } } : {}),
    },
  };
}

/** An address as it stands in a URL. */
export function at({ host, port }: { host: string; port: number }): string {
  return `${host}:${port}`;
}

/** Waits until a condition holds; an error counts as not yet. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await sleep(10);
  }
}
