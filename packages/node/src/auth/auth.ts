import { authContract } from "@catalyst/rpc";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { runProcess } from "../process.ts";
import { serveDiscovery } from "./discovery-server.ts";
import { openAuth } from "./open-auth.ts";

const upkeepMs = 30_000;

/** The auth process: keeps the keys that sign credentials, gives credentials and takes them back. */
export function runAuth(config: NodeConfig, dataDir: string): Promise<void> {
  return runProcess("auth", authContract, config, dataDir, async (frame, resources) => {
    const { authority, bulletin, rings, view, issuers, events } = await openAuth(frame, resources);
    const published = (["tokens", "apikeys"] as const).map((kind) => {
      return { issuer: issuers[kind].issuer, jwks: () => rings[kind].jwks() };
    });
    resources.use(await serveDiscovery({ socketPath: paths.jwksSocket(dataDir), issuers: published }));
    const keepUp = async () => {
      try {
        await authority.keepUp();
        view.upkeepEnded(null);
      } catch (error) {
        view.upkeepEnded(error as Error);
        events.upkeepFailed(error);
      }
    };
    const timer = setInterval(() => void keepUp(), upkeepMs);
    resources.defer(() => clearInterval(timer));
    return {
      details: () => view.details(),
      readiness: () => ({ ready: true, reasons: view.reasons() }),
      drain: async () => bulletin.close(),
      implementation: {
        check: () => view.check(),
        explain: ({ subject, name }) => view.explain(subject, name),
        credentials: () => bulletin.current(),
        watch: ({ after }) => bulletin.after(after),
        mint: (request) => authority.mint(request),
        signingKeys: () => authority.signingKeys(),
        rotate: (request) => authority.rotate(request),
        createApiKey: (request) => authority.createApiKey(request),
        apiKeys: (request) => authority.listApiKeys(request),
        revokeApiKey: (request) => authority.revokeApiKey(request),
      },
    };
  });
}
