import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { createGateway, type Gateway, GatewayError, type GatewayErrorCode } from "@catalyst/gateway";
import { formatSpiffeId } from "@catalyst/identity";
import { gatewayContract, RpcError, type RpcErrorCode, socketPath } from "@catalyst/rpc";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { checked, notExplainable, type ProcessFrame, runProcess } from "../process.ts";
import { GatewayCredential } from "./gateway-credential.ts";

/** The gateway process: serves GraphQL to Envoy, and takes what to serve from the orchestrator. */
export function runGateway(config: NodeConfig, dataDir: string): Promise<void> {
  return runProcess("gateway", gatewayContract, config, dataDir, async (frame, resources) => {
    const { logger, metrics } = frame;
    const credential = config.auth.required ? ownCredential(frame) : null;
    const firstCredential = credential?.settled(firstCredentialMs);
    const credentials = async (service: string) => (await credential?.of(service)) ?? null;
    const gateway = resources.use(
      createGateway(
        { logger, metrics, cacheDir: join(dataDir, "gateway"), credentials },
        config.mesh.graphql,
      ),
    );
    const { inspection } = gateway;
    // Before the first update there is nothing to say: Envoy answers that the gateway is on its way.
    let listening: Promise<void> | null = null;
    let listens = false;
    const listen = () => {
      listening ??= listenGraphql(frame, gateway).then(
        (server) => {
          listens = true;
          resources.use(server);
        },
        (error) => {
          listening = null; // the next update tries again
          throw error;
        },
      );
      return listening;
    };
    const problems = () =>
      gateway
        .report()
        .services.filter(({ state }) => state !== "serving")
        .map(({ name, state, reason }) => `${name} is ${state}: ${reason}`);
    return {
      details: () => gateway.report(),
      readiness: () => {
        return { ready: listens, reasons: listens ? problems() : ["not yet configured"] };
      },
      drain: () => gateway.drain(),
      implementation: {
        apply: async (update) => {
          await firstCredential;
          const report = await answered(() => gateway.apply(update));
          await listen();
          return report;
        },
        report: () => gateway.report(),
        refresh: ({ service }) => answered(() => gateway.refresh(service)),
        schema: () => inspection.schema(),
        serviceSchema: ({ service }) => answered(async () => inspection.serviceSchema(service)),
        history: () => inspection.history(),
        diff: (question) => answered(() => inspection.diff(question)),
        plan: (question) => answered(() => inspection.plan(question)),
        check: () => [
          checked(
            "gateway.persistedDocuments",
            "the persisted documents in force are those of their files",
            gateway.documentFault === null
              ? null
              : {
                  detail: gateway.documentFault,
                  hint: "mend the file that is named; the documents before stay in force",
                },
          ),
          checked(
            "gateway.services",
            "every GraphQL service is part of the schema",
            problems().length === 0
              ? null
              : { detail: problems().join("\n"), hint: "mend the services named, or remove them" },
          ),
        ],
        explain: ({ subject, name }) => {
          if (subject === "field") return answered(() => inspection.explainField(name));
          const service = gateway.report().services.find((each) => each.name === name);
          if (subject !== "service") throw notExplainable("gateway", subject, ["service", "field"]);
          if (service === undefined) {
            throw new RpcError("service_not_found", `the gateway was told of no service ${name}`);
          }
          return {
            question: `why is ${name} ${service.state}?`,
            asOf: new Date().toISOString(),
            inputs: { service },
            steps: [
              { rule: "its schema was fetched", outcome: service.schemaDigest ?? "no schema" },
              { rule: "it composes with the others", outcome: service.reason ?? "yes" },
            ],
            result: service.state,
          };
        },
      },
    };
  });
}

/** The auth process starts with the gateway: the first schemas wait for it until this long after the start. */
const firstCredentialMs = 2_000;

function ownCredential({ config, dataDir, logger, stopping }: ProcessFrame): GatewayCredential {
  const { node, auth } = config;
  return new GatewayCredential({
    socketPath: socketPath(dataDir, "auth"),
    subject: formatSpiffeId({ domain: node.domain, node: node.name, process: "gateway" }),
    ttlMs: Math.min(60, auth.keys.maxTokenMinutes) * 60_000,
    logger,
    stopping,
  });
}

/** Codes that mean the same on the socket. */
const sharedCodes: Readonly<Partial<Record<GatewayErrorCode, RpcErrorCode>>> = {
  update_stale: "update_stale",
  service_not_found: "service_not_found",
  draining: "draining",
  generation_unknown: "generation_unknown",
  coordinate_unknown: "coordinate_unknown",
  composition_failed: "composition_failed",
  schema_invalid: "invalid_request",
};

/** What the gateway refuses crosses the socket with its code. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { code, message } = error;
    throw new RpcError(sharedCodes[code] ?? "internal", message, { cause: error });
  }
}

/** As many connections as Envoy may open at once wait for the gateway; the system caps it (`somaxconn`). */
const backlog = 4_096;
/** What Envoy lets through. */
const maxHeaderBytes = 64 * 1024;

async function listenGraphql(
  frame: ProcessFrame,
  { handle, upgrade }: Pick<Gateway, "handle" | "upgrade">,
): Promise<AsyncDisposable> {
  const path = paths.graphqlSocket(frame.dataDir);
  rmSync(path, { force: true });
  const server = createServer({ keepAliveTimeout: 120_000, maxHeaderSize: maxHeaderBytes }, handle);
  server.on("upgrade", upgrade);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, backlog }, resolve);
  });
  chmodSync(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeIdleConnections();
      const closed = new Promise((resolve) => server.close(resolve));
      setTimeout(() => server.closeAllConnections(), 1_000).unref();
      await closed;
    },
  };
}
