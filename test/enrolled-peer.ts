import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeUnderTest } from "@catalyst/harness";
import {
  authoritiesOf,
  type PeerTrust,
  parseJoinToken,
  peerTrustOf,
  readTrustDocument,
} from "@catalyst/identity";
import { joinOrganisation } from "@catalyst/node";
import { createPeering, type Peering } from "@catalyst/peering";
import { authContract } from "@catalyst/rpc";
import {
  createSessions,
  insecurePlainTransports,
  type SessionOptions,
  type Sessions,
  systemClock,
  type TransportProvider,
  tlsTransports,
} from "@catalyst/session";
import type { ScriptedName } from "../packages/session/test/scripted-dialler.ts";

/** A node that was let into the organisation, of which the test has the key. It does not run. */
export type Enrolled = ScriptedName & {
  readonly proof: NonNullable<ScriptedName["proof"]>;
  readonly trust: PeerTrust;
};

/** A node where nobody proves anything. */
export type Unproved = ScriptedName & { readonly proof: null };

/** Has a node let in by the root authority of another one, by a token. */
export async function enrol(authority: NodeUnderTest, label: string): Promise<Enrolled> {
  using auth = await authority.connect("auth", authContract);
  const { token } = await auth.call.createJoinToken({ node: label });
  const folder = mkdtempSync(join(tmpdir(), "catalyst-enrolled-"));
  await joinOrganisation(folder, parseJoinToken(token));
  const read = (file: string) => readFileSync(join(folder, "identity", file), "utf8");
  const pem = read("orchestrator.pem");
  const trust = peerTrustOf(readTrustDocument(read("trust.json")));
  rmSync(folder, { recursive: true });
  const { domain } = authority;
  const proof = { cert: pem, key: pem, roots: authoritiesOf(trust) };
  return { node: `${label}.${domain}`, domain, proof, trust };
}

/** A peer as it should be, in the process of the test: sessions and tables, and nothing besides. */
export class HonestPeer implements AsyncDisposable {
  readonly peering: Peering;
  readonly sessions: Sessions;
  readonly #waiting = new Map<string, (at: number) => void>();

  /** It dials the node of that name at the address. */
  constructor(
    self: Enrolled | Unproved,
    to: { readonly node: string; readonly address: string },
    options: Partial<SessionOptions> = {},
  ) {
    const { node, domain } = self;
    const spiffeId = `spiffe://${domain}/node/${node.split(".")[0]}/envoy`;
    const nextHop = { host: "192.0.2.3", port: 10_443, sni: node, spiffeId };
    this.peering = createPeering(
      { clock: systemClock, onChange: (services) => this.#changed(services) },
      { node, domain, nextHop },
    );
    this.sessions = createSessions(
      {
        node,
        domain,
        transports: transportsOf(self),
        protocols: [{ name: "cp", versions: [1], open: (channel) => void this.peering.attach(channel) }],
        admit: () => ({ admitted: true }),
      },
      options,
    );
    this.sessions.setPeers([to]);
  }

  /** When a service is there, by the monotonic clock. */
  sees(service: string): Promise<number> {
    return new Promise((resolve) => this.#waiting.set(service, resolve));
  }

  originate(services: readonly string[]): void {
    for (const service of services) {
      this.peering.apply({ kind: "originate", route: { service, protocol: "http" } });
    }
  }

  withdraw(services: readonly string[]): void {
    for (const service of services) this.peering.apply({ kind: "withdraw", service });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sessions.close();
    await this.peering[Symbol.asyncDispose]();
  }

  #changed(services: readonly string[]): void {
    for (const service of services) {
      if (this.peering.speaker.routes(service).length > 0) this.#waiting.get(service)?.(performance.now());
    }
  }
}

function transportsOf(self: Enrolled | Unproved): TransportProvider {
  if (self.proof === null) return insecurePlainTransports();
  const credentials = { certificateChain: self.proof.cert, privateKey: self.proof.key, trust: self.trust };
  return tlsTransports({ credentials: () => credentials });
}
