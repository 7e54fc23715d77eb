import { hash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import {
  decodeEnrolmentRequest,
  encodeEnrolmentAnswer,
  formatJoinToken,
  generateKey,
  issueLeaf,
  mintToken,
  type PrivateKey,
  readSigningRequest,
  type TrustDocument,
  tokenJwkOf,
  writeTrustBundle,
} from "@catalyst/identity";
import { createTestOrganisation, type TestOrganisation } from "@catalyst/identity/testing";

/** How a question for news is answered. */
export type NewsAnswer = (response: ServerResponse, document: () => string) => void;

export const honest: NewsAnswer = (response, document) => response.end(document());

/** A root authority that has all of its keys, and answers as a test wants: well, until it is told otherwise. */
export class HostileAuthority implements AsyncDisposable {
  readonly domain: string;
  readonly #organisation: TestOrganisation;
  readonly #server: Server;
  readonly #waiting = new Set<ServerResponse>();
  #answer: NewsAnswer = honest;
  #told: Partial<TrustDocument> = {};
  #version = 1;
  #keys: readonly PrivateKey[] = [generateKey("P-256")];
  /** How many questions for news came. */
  asked = 0;

  private constructor(organisation: TestOrganisation, shown: { cert: string; key: string }) {
    this.domain = organisation.domain;
    this.#organisation = organisation;
    this.#server = createServer(
      { ...shown, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        void this.#serve(request, response);
      },
    );
  }

  static async open(domain: string): Promise<HostileAuthority> {
    const organisation = await createTestOrganisation(domain);
    const authority = new HostileAuthority(organisation, await organisation.issue("n1", "authority"));
    await authority.listen(0);
    return authority;
  }

  async listen(port: number): Promise<void> {
    await once(this.#server.listen(port, "127.0.0.1"), "listening");
  }

  /** Is away, until it listens again. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    this.#waiting.clear();
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  joinToken(node: string): string {
    const root = hash("sha256", this.#organisation.root.certificate, "buffer");
    const [addresses, expires] = [[this.address], Math.floor(Date.now() / 1_000) + 600];
    return formatJoinToken({
      addresses,
      expires,
      domain: this.domain,
      node,
      root,
      secret: new Uint8Array(16),
    });
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A credential for a service, signed by the key that was made last. */
  credential(service: string): string {
    const [issuer, audience] = [`https://${this.domain}`, this.domain];
    const subject = `spiffe://${this.domain}/node/n1/test`;
    const asked = { kind: "tokens", issuer, audience, subject, services: [service], ttlMs: 600_000 } as const;
    const key = this.#keys.at(-1) ?? generateKey("P-256");
    return mintToken(key, { ...asked, now: Date.now() }).token;
  }

  /** Another key signs from now on, beside those that did. */
  rotate(): void {
    this.#keys = [...this.#keys, generateKey("P-256")];
  }

  /** From now on news are answered in another way, those that are waited for among them; and say this beside the rest. */
  behave(answer: NewsAnswer, told: Partial<TrustDocument> = {}): void {
    this.#answer = answer;
    this.#told = told;
    this.#version += 1;
    for (const response of this.#waiting) this.#tell(response);
    this.#waiting.clear();
  }

  document(): TrustDocument {
    const jwks = this.#keys.flatMap(({ publicKey }) =>
      publicKey.algorithm === "P-256" ? [tokenJwkOf(publicKey)] : [],
    );
    const [issuer, audience] = [`https://${this.domain}`, this.domain];
    const issuers = [
      {
        kind: "tokens" as const,
        issuer,
        audience,
        jwks: JSON.stringify({ keys: jwks }),
        maxLifetimeMs: 900_000,
      },
    ];
    const roots = [this.#organisation.root.certificate];
    const bundle = writeTrustBundle({ sequence: this.#version, refreshSeconds: 300, roots, tokenKeys: jwks });
    const rest = { authority: [this.address], bundle, issuers, revoked: [], denied: [] };
    return { version: this.#version, domain: this.domain, ...rest, ...this.#told };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "https://authority");
    if (url.pathname === "/root") return void response.end(this.#organisation.root.certificate);
    if (url.pathname === "/enrol") return void response.end(await this.#enrol(request));
    if (url.pathname !== "/trust") return void response.writeHead(404).end();
    this.asked += 1;
    response.on("error", () => undefined);
    if (url.searchParams.get("after") === String(this.#version) && this.#answer === honest) {
      this.#waiting.add(response);
    } else this.#tell(response);
  }

  #tell(response: ServerResponse): void {
    this.#answer(response, () => JSON.stringify(this.document()));
  }

  async #enrol(request: IncomingMessage): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { requests } = decodeEnrolmentRequest(Uint8Array.from(Buffer.concat(parts)));
    const { issuing } = this.#organisation;
    const chains = await Promise.all(
      Object.entries(requests).map(async ([process, der]) => {
        const id = { domain: this.domain, node: "n2", process };
        const leaf = await issueLeaf(issuing, readSigningRequest(der), { id, now: Date.now() });
        return [process, [leaf, issuing.certificate]] as const;
      }),
    );
    return encodeEnrolmentAnswer({
      domain: this.domain,
      node: "n2",
      chains: Object.fromEntries(chains),
      trust: this.document(),
    });
  }
}
