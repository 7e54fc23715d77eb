import { defaultKey } from "@catalyst/xds";
import { compileCredentials } from "../../packages/envoy/src/auth.ts";
import { domain, rulesOf, testIssuer } from "../../packages/envoy/test/credentials.ts";
import { startEnvoy } from "../../packages/envoy/test/envoy-under-test.ts";
import { usageOf } from "../../packages/node/src/process-usage.ts";
import { startBackends } from "../xds/backends.ts";

/** What a client asks for, and with which credential. */
export type Question = {
  readonly port: number;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
};

/** An Envoy with one worker, configured as a node's, and a service behind it. */
export type Subject = AsyncDisposable & {
  readonly question: Question;
  /** Processor time that Envoy has used, in ms. */
  readonly cpuMs: () => number;
};

/** Credentials are demanded, or not; `revoked` is how many others are refused. */
export async function startSubject(
  auth: "demanded" | "off",
  { services = 1, revoked = 0 } = {},
): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const [port] = await startBackends(started);
  const names = Array.from({ length: services }, (_, at) => `service-${at}`);
  const envoy = started.use(
    await startEnvoy({
      services: names.map((name) => ({
        name,
        protocol: "http",
        url: `http://127.0.0.1:${port}/`,
        timeoutMs: 15_000,
      })),
      ...(auth === "off" ? {} : { mesh: { auth: { open: [] } } }),
    }),
  );
  const issuers = [testIssuer("tokens"), testIssuer("apikeys")] as const;
  if (auth === "demanded") {
    const others = Array.from({ length: revoked }, (_, at) => at.toString(16).padStart(32, "0"));
    envoy.xds.update(defaultKey, { upsert: compileCredentials(rulesOf(issuers, others)) });
    const { complete } = await envoy.xds.settled(defaultKey, { timeoutMs: 20_000 });
    if (!complete || envoy.xds.quarantined().length > 0) throw new Error("Envoy did not take the keys");
  }
  const owned = started.move();
  const key = issuers[1].issue({ services: ["other", "service-0"] });
  return {
    question: {
      port: envoy.mesh.listen.ingress.port,
      host: `service-0.${domain}`,
      headers: auth === "off" ? {} : { "x-api-key": key },
    },
    cpuMs: () => (usageOf(envoy.child.pid ?? 0)?.cpuSeconds ?? Number.NaN) * 1_000,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
