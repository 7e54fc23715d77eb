import { constants, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import {
  authoritiesOf,
  chainOf,
  type PeerTrust,
  publicKeyOf,
  readPeerCertificate,
  tokenKid,
} from "@catalyst/identity";
import { SessionError } from "./errors.ts";
import { listenOn, socketAddress } from "./socket-server.ts";
import { remoteOf, socketTransport } from "./socket-transport.ts";
import type { Dialled, TransportProvider } from "./transport.ts";

/** What a node proves, and by what it judges what others prove. */
export type TlsCredentials = {
  /** PEM, the leaf first. */
  readonly certificateChain: string;
  /** PKCS #8 in PEM. */
  readonly privateKey: string;
  readonly trust: PeerTrust;
};

const alpnProtocol = "catalyst-session/1";

/** Another protocol on the same port, for who cannot prove yet who they are: spec/invitation.md. */
export type StrangersProtocol = {
  /** Its name in ALPN. */
  readonly name: string;
  /**
   * Takes a connection whose handshake is over, and of which no certificate was verified. It counts as half open until it is
   * closed.
   */
  readonly take: (socket: TLSSocket) => void;
};

export type TlsTransportOptions = {
  /**
   * Asked for each connection: another object takes the place of the one before, for connections from then on. While it
   * throws, or gives what cannot be used, nobody is dialled or let in.
   */
  readonly credentials: () => TlsCredentials;
  /** How long a handshake of TLS may take. Default 10 s. */
  readonly handshakeMs?: number;
  /** Where it is not given, a connection of another protocol than sessions is refused in its handshake. */
  readonly strangers?: StrangersProtocol;
};

/**
 * TLS 1.3 over TCP with certificates on both sides, spec/session.md §2.1. It validates chains by all roots together; that
 * each is good for its own domain alone is for `admit` to see to.
 */
export function tlsTransports(options: TlsTransportOptions): TransportProvider {
  const current = renewing(options.credentials);
  return {
    authenticated: true,
    dial: (address, dialled) => dial(address, dialled, current()),
    listen: async (address, acceptor) => listenOn(address, acceptor, acceptTls(current, options)),
  };
}

/** Credentials as TLS takes them. */
type Prepared = {
  readonly context: SecureContextOptions;
  readonly trust: PeerTrust;
  readonly ownKeyThumbprint: Uint8Array;
};

/** Prepares credentials once for as long as they are the same. */
function renewing(credentials: () => TlsCredentials): () => Prepared {
  let last: { readonly from: TlsCredentials; readonly prepared: Prepared } | null = null;
  return () => {
    const from = credentials();
    if (last?.from !== from) last = { from, prepared: prepare(from) };
    return last.prepared;
  };
}

/** Throws {@link SessionError} `misused` for credentials that TLS does not take. */
function prepare({ certificateChain, privateKey, trust }: TlsCredentials): Prepared {
  const options: SecureContextOptions = {
    cert: certificateChain,
    key: privateKey,
    ca: [...authoritiesOf(trust)],
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  try {
    createSecureContext(options);
    const { publicKey } = new X509Certificate(certificateChain);
    const ownKeyThumbprint = new Uint8Array(Buffer.from(tokenKid(publicKeyOf(publicKey)), "base64url"));
    return { trust, ownKeyThumbprint, context: options };
  } catch (cause) {
    throw new SessionError("misused", `the node's certificate and key cannot be used: ${String(cause)}`, {
      cause,
    });
  }
}

function dial(address: string, dialled: Dialled, prepared: Prepared): () => void {
  const socket = connect({
    ...socketAddress(address),
    ...prepared.context,
    ALPNProtocols: [alpnProtocol],
    // Who it is stands in the certificate's SPIFFE id, and is checked against the OPEN and by `admit`.
    checkServerIdentity: () => undefined,
  });
  const failed = (error: Error) => dialled.failed(error);
  socket.once("error", failed);
  socket.once("secureConnect", () => {
    socket.off("error", failed);
    pass(socket, dialled, prepared);
  });
  return () => socket.destroy();
}

/** A server of TLS that is given its sockets, and never listens by itself. */
function acceptTls(current: () => Prepared, { handshakeMs = 10_000, strangers }: TlsTransportOptions) {
  /** Who waits for each handshake, by where the other end is: no two open sockets have that in common. */
  const waiting = new Map<string, Dialled>();
  /** What the server has; null before somebody came while there were credentials. */
  let prepared: Prepared | null = null;
  const server = createServer({
    requestCert: true,
    // Whose certificate it is, and whether it was verified, is looked at when it is known what is to be spoken.
    rejectUnauthorized: false,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: [alpnProtocol, ...(strangers === undefined ? [] : [strangers.name])],
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("secureConnection", (socket) => {
    const remote = remoteOf(socket);
    const taker = waiting.get(remote);
    waiting.delete(remote);
    if (taker === undefined || prepared === null) socket.destroy();
    else if (strangers !== undefined && socket.alpnProtocol === strangers.name && !socket.isSessionReused()) {
      socket.once("close", () => taker.failed(new SessionError("dial_failed", "it wanted no session")));
      strangers.take(socket);
    } else pass(socket, taker, prepared);
  });
  return (socket: Socket, taker: Dialled): void => {
    try {
      const latest = current();
      if (latest !== prepared) server.setSecureContext(latest.context);
      prepared = latest;
    } catch {
      // Nobody is let in by credentials of before; who dials with these tells why they cannot be used.
      socket.once("close", () =>
        taker.failed(new SessionError("dial_failed", "the credentials cannot be used")),
      );
      socket.destroy();
      return;
    }
    const remote = remoteOf(socket);
    waiting.set(remote, taker);
    socket.once("close", () => {
      if (!waiting.delete(remote)) return;
      taker.failed(new SessionError("dial_failed", "the other end did not finish the handshake of TLS"));
    });
    server.emit("connection", socket);
  };
}

/** The checks of spec/session.md §2.1 that TLS leaves to us; what fails them ends without a word. */
function pass(socket: TLSSocket, dialled: Dialled, { trust, ownKeyThumbprint }: Prepared): void {
  const roots = trust.roots.map(({ certificate }) => certificate);
  const certificate = readPeerCertificate(chainOf(socket), roots);
  const fault = faultOf(socket) ?? (certificate === null ? "no certificate was shown" : null);
  if (fault === null) {
    dialled.up(socketTransport(socket, { certificate, ownKeyThumbprint }));
    return;
  }
  socket.on("error", () => undefined);
  socket.destroy();
  dialled.failed(new SessionError("dial_failed", fault));
}

function faultOf(socket: TLSSocket): string | null {
  if (socket.alpnProtocol !== alpnProtocol) return `the other end does not speak ${alpnProtocol}`;
  if (socket.isSessionReused()) return "a session of TLS was resumed";
  return socket.authorized ? null : "the certificate was not verified";
}
