import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask } from "./upstream.ts";

const domain = "acme.catalyst.internal";
const headers = (count: number) => Array.from({ length: count }, (_, at) => `x-${at}: 1\r\n`).join("");

/** Answers that a service should not give, by the path that they are given at; HTTP/2 has no form for some of them. */
const odd: Readonly<Record<string, string>> = {
  "/switch": "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n",
  "/status": "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
  "/many": `HTTP/1.1 200 OK\r\n${headers(98)}content-length: 0\r\n\r\n`,
};
const endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";

describe("The connection that all services of a node share", { skip: envoyMissing }, () => {
  let service: Server;
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;

  before(async () => {
    const acme = await createTestOrganisation(domain);
    const start = async (node: string) => {
      const { cert: certificate, key: privateKey } = await acme.issue(node, "envoy");
      const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
      const extra = [compileNodeIdentity({ certificate, privateKey }), ...trust];
      return startEnvoy({ nodes: true, mesh: { node, domain }, extra });
    };
    service = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (bytes) => {
        const path = bytes.toString("latin1").split(" ")[1] ?? "";
        socket.write(odd[path] ?? endless);
      });
    }).listen(0, "127.0.0.1");
    await once(service, "listening");
    [n1, n2] = await Promise.all([start("n1"), start("n2")]);
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const declared = { name: "odd", protocol: "http", url, timeoutMs: 1_000 } as const;
    await n2.apply({ put: [{ name: "odd", paths: [{ to: "here", service: declared }] }] });
    const nextHop = {
      host: "127.0.0.1",
      port: n2.mesh.listen.mesh?.port ?? 0,
      sni: `n2.${domain}`,
      spiffeId: `spiffe://${domain}/node/n2/envoy`,
    };
    await n1.apply({ put: [{ name: "odd", paths: [{ to: "node", nextHop }] }] });
  });
  after(async () => {
    service?.close();
    await Promise.all([n1, n2].map((envoy) => envoy?.[Symbol.asyncDispose]()));
  });

  /** An answer that goes on for as long as nobody ends it. */
  const download = async () => {
    const asked = get({
      host: "127.0.0.1",
      port: n1.mesh.listen.egress.port,
      headers: { host: `odd.${domain}` },
    });
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    let isOver = false;
    response
      .on("error", () => undefined)
      .on("close", () => {
        isOver = true;
      });
    await once(response, "data");
    return { isOver: () => isOver, end: () => asked.destroy() };
  };

  for (const path of Object.keys(odd)) {
    test(`An odd answer, ${path}, ends its own request and no other`, async () => {
      await until(
        async () => (await ask(n1.mesh.listen.egress.port, { host: `odd.${domain}`, path })).status > 0,
      );
      const other = await download();
      for (let times = 0; times < 5; times++) {
        await ask(n1.mesh.listen.egress.port, { host: `odd.${domain}`, path });
      }
      // One whole turn through both Envoys: what ended is known here by then.
      const next = await download();
      assert.equal(other.isOver(), false);
      next.end();
      other.end();
    });
  }
});
