import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type AuditedAction, verifyAudit } from "@catalyst/evidence";
import { fromPem, IdentityFolder, type JoinToken, peerTrustOf } from "@catalyst/identity";
import { paths } from "../../paths.ts";
import { domain, newDataDir } from "../root/test-auth.ts";
import type { AuthorityCall } from "./authority-client.ts";
import { joinOrganisation } from "./join.ts";

/** A machine that may become a node. */
export type TestMachine = {
  readonly path: string;
  readonly folder: IdentityFolder;
  join(token: JoinToken, now?: () => number): ReturnType<typeof joinOrganisation>;
  /** What it calls the root authority with, after it has joined. */
  call(): AuthorityCall;
};

export function newMachine(): TestMachine {
  const path = join(newDataDir(), "identity");
  const folder = new IdentityFolder(path);
  return {
    path,
    folder,
    join: (token, now) => joinOrganisation(path, token, now),
    call: () => {
      const [trust, identity] = [folder.trust(), folder.process("auth")];
      assert.ok(trust !== null && identity !== null);
      return { addresses: trust.authority, domain, trust: peerTrustOf(trust), identity };
    },
  };
}

/** The names of a chain's leaf, as they stand in it. */
export function namesIn(certificateChain: string): string | undefined {
  return new X509Certificate(fromPem("CERTIFICATE", certificateChain)[0] ?? new Uint8Array()).subjectAltName;
}

/** What is in the audit log of an auth process, the chain of which is verified. */
export async function auditOf(dataDir: string): Promise<AuditedAction[]> {
  const actions: AuditedAction[] = [];
  await verifyAudit(paths.audit(dataDir, "auth"), {
    onEntry: ({ event }) => void ("action" in event && actions.push(event.action)),
    settleMs: 0,
  });
  return actions;
}

/** Somebody in between, who writes down what is asked of it. */
export async function openImpostor(
  options: ServerOptions,
  answer: (path: string) => {
    readonly status?: number;
    readonly headers?: object;
    readonly body: Uint8Array | "never";
  },
) {
  const asked: string[] = [];
  const server = createServer(options, (request: IncomingMessage, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status = 200, headers = {}, body } = answer(request.url ?? "");
    if (body === "never") return;
    response.writeHead(status, { ...headers }).end(body);
  });
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
