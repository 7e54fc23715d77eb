import type { ChildProcess } from "node:child_process";
import { hash, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { defaultKey } from "@catalyst/xds";
import { compileCredentials } from "../../packages/envoy/src/auth.ts";
import { defaultTlsSecret } from "../../packages/envoy/src/mesh.ts";
import { compileSecret } from "../../packages/envoy/src/tls.ts";
import { domain, rulesOf, testIssuer } from "../../packages/envoy/test/credentials.ts";
import { startEnvoy } from "../../packages/envoy/test/envoy-under-test.ts";
import { startBackends } from "../xds/backends.ts";

/** What a client asks for, and with which credential. */
export type Question = {
  readonly port: number;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Over TLS, with a client certificate that the credential is bound to, or with none; absent: in plain text. */
  readonly tls?: { readonly cert?: string; readonly key?: string };
};

/** One Envoy or two, each with one worker and configured as a node's, and a service behind them. */
export type Subject = AsyncDisposable & {
  readonly question: Question;
  /** Processor time that they have used, in ms. */
  readonly cpuMs: () => number;
};

export type SubjectOptions = {
  readonly services?: number;
  /** How many other credentials are refused. */
  readonly revoked?: number;
  /** Default `plain`; `bound` is over TLS, with a credential that is bound to the client's certificate. */
  readonly over?: "plain" | "tls" | "bound";
  /** Whether requests bring a credential that nobody asks for. Default false. */
  readonly carried?: boolean;
};

/** Credentials are demanded, or not. */
export async function startSubject(
  auth: "demanded" | "off",
  { services = 1, revoked = 0, over = "plain", carried = false }: SubjectOptions = {},
): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const organisation = await createTestOrganisation(domain);
  const [node, client] = [await organisation.issue("n1", "envoy"), await organisation.issue("c1", "laptop")];
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
      tls: over !== "plain",
      extra: [compileSecret(defaultTlsSecret, { certificate: node.cert, privateKey: node.key })],
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
  const digest = hash("sha256", new X509Certificate(client.cert).raw, "base64url");
  const cnf = over === "bound" ? { cnf: { "x5t#S256": digest } } : {};
  const key = issuers[1].issue({ services: ["other", "service-0"], ...cnf });
  const { ingress, ingressTls = ingress } = envoy.mesh.listen;
  return {
    question: {
      port: over === "plain" ? ingress.port : ingressTls.port,
      host: `service-0.${domain}`,
      headers: auth === "off" && !carried ? {} : { "x-api-key": key },
      ...(over === "plain" ? {} : { tls: over === "tls" ? {} : { cert: client.cert, key: client.key } }),
    },
    cpuMs: () => processorMs(envoy.child),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the threads of a process have used, in ms, as Linux's scheduler counts it: in nanoseconds. */
export function processorMs({ pid }: ChildProcess): number {
  const threads = `/proc/${pid}/task`;
  const used = readdirSync(threads).map((thread) =>
    Number(readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return used.reduce((sum, ns) => sum + ns, 0) / 1e6;
}
