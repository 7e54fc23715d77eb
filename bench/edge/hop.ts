import { createTestOrganisation, type TestOrganisation } from "@catalyst/identity/testing";
import { compileCredentials } from "../../packages/envoy/src/auth.ts";
import { compileNodeTrust } from "../../packages/envoy/src/node-access.ts";
import { compileNodeIdentity } from "../../packages/envoy/src/node-tls.ts";
import { servedHere } from "../../packages/envoy/src/reachable.ts";
import { domain, rulesOf, testIssuer } from "../../packages/envoy/test/credentials.ts";
import { type EnvoyUnderTest, startEnvoy } from "../../packages/envoy/test/envoy-under-test.ts";
import { startBackends } from "../xds/backends.ts";
import { processorMs, type Subject } from "./subject.ts";

/** How two Envoys trust each other: by mutual TLS, or not at all. */
export type Between = "tls" | "plain";

/** A service that another node has: from the egress of one Envoy to the mesh listener of the other. */
export async function startHop(auth: "demanded" | "off", between: Between): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const organisation = await createTestOrganisation(domain);
  const [port] = await startBackends(started);
  const issuers = [testIssuer("tokens"), testIssuer("apikeys")] as const;
  const keys = auth === "off" ? [] : compileCredentials(rulesOf(issuers));
  const start = async (node: string) => {
    const mesh = { node, nodes: between, ...(auth === "off" ? {} : { auth: { open: [] } }) };
    const extra = [...keys, ...(await credentials(organisation, node))];
    return started.use(await startEnvoy({ nodes: true, mesh, extra }));
  };
  const [here, there] = [await start("n1"), await start("n2")];
  const name = "service-0";
  await there.apply({
    put: [servedHere({ name, protocol: "http", url: `http://127.0.0.1:${port}/`, timeoutMs: 15_000 })],
  });
  await here.apply({ put: [{ name, paths: [{ to: "node", nextHop: hopTo(there) }] }] });
  const owned = started.move();
  return {
    question: {
      port: here.mesh.listen.egress.port,
      host: `${name}.${domain}`,
      headers: auth === "off" ? {} : { "x-api-key": issuers[1].issue({ services: ["other", name] }) },
    },
    cpuMs: () => processorMs(here.child) + processorMs(there.child),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function credentials(organisation: TestOrganisation, node: string) {
  const { cert: certificate, key: privateKey } = await organisation.issue(node, "envoy");
  return [
    compileNodeIdentity({ certificate, privateKey }),
    ...compileNodeTrust({ roots: [organisation.root], pinned: [], denied: [] }, domain),
  ];
}

function hopTo({ mesh }: EnvoyUnderTest) {
  return {
    host: "127.0.0.1",
    port: mesh.listen.mesh?.port ?? 0,
    sni: `${mesh.node}.${domain}`,
    spiffeId: `spiffe://${domain}/node/${mesh.node}/envoy`,
  };
}
