import { constants, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { parseAddress, showAddress } from "@catalyst/config";
import {
  type Admission,
  admit,
  authoritiesOf,
  certificateLifetimes,
  chainOf,
  decodeEnrolmentRequest,
  decodeMessage,
  decodeRenewalRequest,
  encodeEnrolmentAnswer,
  encodeMessage,
  exporterOf,
  IdentityError,
  type PeerCertificate,
  type PeerTrust,
  peerTrustOf,
  readPeerCertificate,
  toPem,
} from "@catalyst/identity";
import { RpcError, tokenOrder } from "@catalyst/rpc";
import { isLabel } from "@catalyst/wire";
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import type { CredentialIssuer } from "../credentials/credential-issuer.ts";
import type { AuthEvents } from "../credentials/events.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { EnrolmentRefusal } from "./enrolment-refusal.ts";
import type { Registrar } from "./registrar.ts";
import type { TrustPublisher } from "./trust-publisher.ts";

export type AuthorityServerParts = {
  readonly domain: string;
  readonly node: string;
  readonly listen: string;
  readonly certificateAuthority: CertificateAuthority;
  readonly registrar: Registrar;
  readonly trustPublisher: TrustPublisher;
  /** Signs tokens: for processes of the node that asks, and for whom it names. */
  readonly credentialIssuer: Pick<CredentialIssuer, "mint" | "createToken">;
  readonly events: AuthEvents;
  readonly now: () => number;
};

type Admitted = Extract<Admission, { kind: "admitted" }>;
type Answer = { readonly status: number; readonly type: string; readonly body: Uint8Array };

/** A request of five certificates is far smaller; who sends slowly, or nothing, is cut off. */
const maxBodyBytes = 65_536;
const limits = {
  maxHeaderSize: 8_192,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
};
const mostConnections = 512;

const tokenRequest = z.union([
  z.strictObject({
    process: z.string().refine(isLabel, "is not the name of a process"),
    services: z.array(z.string()).min(1).max(64),
    ttlMs: z.int().min(1_000),
  }),
  tokenOrder,
]);

/**
 * The root authority's interface for other nodes, spec/enrolment.md §4: HTTPS with TLS 1.3. Joiners prove that they have
 * a token; all others show the certificate of their auth process, and are admitted anew for each request.
 */
export class AuthorityServer implements AsyncDisposable {
  readonly #parts: AuthorityServerParts;
  readonly #server: Server;
  /** Connections on which somebody came with a certificate. */
  readonly #open = new Set<TLSSocket>();
  #renewAt = 0;
  /** Whom to believe; null when the trust document is another one since. */
  #trust: PeerTrust | null = null;

  private constructor(parts: AuthorityServerParts) {
    this.#parts = parts;
    this.#server = createServer({ ...limits, ...tlsOptions }, (request, response) => {
      void this.#handle(request, response);
    });
    this.#server.maxConnections = mostConnections;
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
  }

  /** Throws {@link NodeError} `port_in_use`. */
  static async open(parts: AuthorityServerParts): Promise<AuthorityServer> {
    const server = new AuthorityServer(parts);
    await server.keepUp();
    const { host, port } = parseAddress(parts.listen);
    const listening = once(server.#server, "listening");
    server.#server.listen(port, host);
    try {
      await listening;
    } catch (cause) {
      const message = `auth.authority.listen: cannot listen on ${parts.listen} (${(cause as Error).message}): choose another address with --auth-authority-listen`;
      throw new NodeError("port_in_use", message, { cause });
    }
    return server;
  }

  /** With the port that the system chose. */
  get address(): string {
    const { host } = parseAddress(this.#parts.listen);
    return showAddress({ host, port: (this.#server.address() as AddressInfo).port });
  }

  /** Renews the server's own certificate at half of its life. */
  async keepUp(): Promise<void> {
    const { certificateAuthority, domain, node, now } = this.#parts;
    if (now() < this.#renewAt) return;
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { chain } = await certificateAuthority.issue({ domain, node, process: "authority" }, publicKey);
    const trust = peerTrustOf(this.#parts.trustPublisher.current());
    this.#server.setSecureContext({
      ...tlsOptions,
      cert: chain.map((der) => toPem("CERTIFICATE", der)).join(""),
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      ca: [...authoritiesOf(trust)],
    });
    this.#renewAt = now() + certificateLifetimes.leafMs / 2;
  }

  /** What is believed is other than before: cuts the connections of those who are not admitted any more. */
  recheck(): void {
    this.#trust = null;
    for (const socket of this.#open) {
      if (socket.authorized && this.#judge(socket).admission.kind === "refused") socket.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      answer = refusalOf(error);
      if (answer.status === 500) this.#parts.events.upkeepFailed(error);
    }
    if (request.socket.destroyed) return;
    const { status, type, body } = answer;
    response.writeHead(status, {
      "content-type": type,
      "content-length": body.length,
      "cache-control": "no-store",
    });
    response.end(body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const socket = request.socket as TLSSocket;
    const { pathname, searchParams } = new URL(request.url ?? "/", "https://authority");
    const { registrar, trustPublisher, certificateAuthority } = this.#parts;
    switch (`${request.method} ${pathname}`) {
      case "GET /root":
        return {
          status: 200,
          type: "application/pkix-cert",
          body: certificateAuthority.roots()[0] ?? new Uint8Array(),
        };
      case "POST /enrol": {
        const asked = decodeEnrolmentRequest(await bodyOf(request));
        return cbor(encodeEnrolmentAnswer(await registrar.enrol(asked, exporterOf(socket))));
      }
      case "POST /renew": {
        const peer = await this.#member(socket, "node.renew");
        const requests = decodeRenewalRequest(await bodyOf(request));
        return cbor(encodeEnrolmentAnswer(await registrar.renew(peer, requests)));
      }
      case "POST /token":
        return this.#sign(await this.#member(socket, "token.mint"), await bodyOf(request));
      case "GET /trust": {
        await this.#member(socket, "trust.read");
        const after = Number(searchParams.get("after") ?? "0");
        const document = Number.isSafeInteger(after)
          ? await trustPublisher.after(after)
          : trustPublisher.current();
        if (!socket.destroyed) await this.#member(socket, "trust.read"); // the news may be that it is denied
        return { status: 200, type: "application/json", body: Buffer.from(JSON.stringify(document)) };
      }
      default:
        return refusal(404, "not_found", "nothing is served here: spec/enrolment.md §4 says what is");
    }
  }

  /** Signs a token for a process of the node that asks, of no other node's; or for a person or program that it names. */
  async #sign({ id }: Admitted, body: Uint8Array): Promise<Answer> {
    const read = tokenRequest.safeParse(decodeMessage(body, "message_malformed"));
    if (!read.success) throw new IdentityError("message_malformed", z.prettifyError(read.error));
    const asked = read.data;
    const { credentialIssuer } = this.#parts;
    const signed =
      "subject" in asked
        ? await credentialIssuer.createToken(asked, id.node)
        : await credentialIssuer.mint({
            subject: `spiffe://${id.domain}/node/${id.node}/${asked.process}`,
            services: asked.services,
            ttlMs: asked.ttlMs,
          });
    return cbor(encodeMessage(signed));
  }

  /** Who asks, by its certificate, now. That nobody is admitted is in the audit log. Throws {@link EnrolmentRefusal}. */
  async #member(socket: TLSSocket, action: Parameters<Registrar["refused"]>[0]): Promise<Admitted> {
    const { certificate, admission } = this.#judge(socket);
    if (admission.kind === "admitted") return admission;
    const { code, text } = admission;
    this.#parts.events.connectionRefused(code, text);
    const proven = socket.authorized ? (certificate?.id?.node ?? null) : null;
    await this.#parts.registrar.refused(action, proven, code);
    throw new EnrolmentRefusal("peer_refused", text);
  }

  #judge(socket: TLSSocket): { certificate: PeerCertificate | null; admission: Admission } {
    const { trustPublisher, now, domain } = this.#parts;
    this.#trust ??= peerTrustOf(trustPublisher.current());
    const trust = this.#trust;
    const roots = trust.roots.map(({ certificate }) => certificate);
    const certificate = readPeerCertificate(chainOf(socket), roots);
    const question = { protocol: "member", expected: { domain }, now: now() } as const;
    const admission = admit({ ...question, certificate }, trust);
    // Nobody is let in by our own eyes alone, where TLS found a fault.
    if (admission.kind === "refused" || socket.authorized) return { certificate, admission };
    return { certificate, admission: admit({ ...question, certificate: null }, trust) };
  }
}

/** Nobody's session is resumed: a resumed one has lost the chain that its peer is admitted by. */
const tlsOptions = {
  minVersion: "TLSv1.3",
  requestCert: true,
  rejectUnauthorized: false,
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxBodyBytes) {
      throw new IdentityError("message_malformed", `the request has more than ${maxBodyBytes} bytes`);
    }
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

function cbor(body: Uint8Array): Answer {
  return { status: 200, type: "application/cbor", body };
}

function refusal(status: number, code: string, text: string): Answer {
  return { status, type: "application/cbor", body: encodeMessage({ code, text }) };
}

function refusalOf(error: unknown): Answer {
  if (error instanceof EnrolmentRefusal) return refusal(403, error.code, error.message);
  if (error instanceof IdentityError && error.code === "message_malformed") {
    return refusal(400, error.code, error.message);
  }
  if (error instanceof RpcError)
    return refusal(error.code === "evidence_failed" ? 503 : 403, error.code, error.message);
  return refusal(500, "internal", "the root authority failed: its log has the cause");
}
