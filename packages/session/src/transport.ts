import type { PeerCertificate } from "@catalyst/identity";

/** What a transport tells whoever uses it. */
export type TransportUser = {
  readonly onData: (bytes: Uint8Array) => void;
  /** What was written is out, after a `write` that returned false. */
  readonly onDrain: () => void;
  /** The end, once: by either side, or with an error. Nothing comes after it. */
  readonly onEnd: (error: Error | null) => void;
};

/** Bytes in order, both ways, with one other end: a TLS connection, later a stream of QUIC, in tests memory. */
export type Transport = {
  /** Where the other end is, for people. */
  readonly remote: string;
  /** What the other end has proved; null when the transport proves nothing. */
  readonly certificate: PeerCertificate | null;
  /** The RFC 7638 thumbprint of the key that we proved to have; zeros when the transport proves nothing. */
  readonly ownKeyThumbprint: Uint8Array;
  /** Begins to read. Called once. */
  use(user: TransportUser): void;
  /** False when what waits to be sent is more than enough: `onDrain` follows. */
  write(bytes: Uint8Array): boolean;
  /** Ends it after what was written. */
  close(): void;
  /** Ends it now. */
  destroy(): void;
};

/** How a dial turns out: one of both, once; neither after it was given up. */
export type Dialled = {
  readonly up: (transport: Transport) => void;
  readonly failed: (error: Error) => void;
};

/** Who takes connections. */
export type Acceptor = {
  /** Asked before anything is spent on a connection: null refuses it. */
  readonly accept: (remote: { readonly address: string }) => Dialled | null;
};

export type Listening = {
  /** Where it listens, with the port that was chosen. */
  readonly address: string;
  close(): Promise<void>;
};

/** A way to make connections. */
export type TransportProvider = {
  /** Whether it proves who the other end is. */
  readonly authenticated: boolean;
  /** Begins a connection to an address; the function that is returned gives it up. */
  dial(address: string, dialled: Dialled): () => void;
  /** Takes connections. Rejects with {@link SessionError} `listen_failed`. */
  listen(address: string, acceptor: Acceptor): Promise<Listening>;
};
