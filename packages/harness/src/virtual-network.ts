import type { VirtualTime } from "./virtual-time.ts";

/** How a link behaves, in both directions. Streams are ordered and whole as over TCP: what is lost comes later. */
export type LinkConditions = {
  /** One way, in ms. */
  readonly latencyMs: number;
  /** Up to so much more, at random. */
  readonly jitterMs: number;
  /** How often a piece is lost, from 0 to 1, and after how long it is sent again. */
  readonly loss: number;
  readonly retransmitMs: number;
};

const perfect: LinkConditions = { latencyMs: 0.1, jitterMs: 0, loss: 0, retransmitMs: 200 };

type User = {
  readonly onData: (bytes: Uint8Array) => void;
  readonly onDrain: () => void;
  readonly onEnd: (error: Error | null) => void;
};

type Dialled<Certificate> = {
  readonly up: (stream: VirtualStream<Certificate>) => void;
  readonly failed: (error: Error) => void;
};

type Acceptor<Certificate> = {
  readonly accept: (remote: { readonly address: string }) => Dialled<Certificate> | null;
};

/** What a host proves to others. */
export type VirtualProof<Certificate> = {
  readonly certificate: Certificate;
  readonly keyThumbprint: Uint8Array;
};

/** What may be on its way in one direction of one stream before its writer is told to wait. */
const highWaterBytes = 65_536;

/** A host without a proof has this key. */
const noKey = new Uint8Array(32);

/**
 * A network in memory and in virtual time, with hosts, links that delay and lose, and partitions. The same seed gives the
 * same course of events.
 *
 * @example
 * const network = new VirtualNetwork(time, { seed: 1 });
 * const provider = network.host("a");
 * network.partition("a", "b");
 */
export class VirtualNetwork<Certificate = never> {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly acceptors = new Map<string, { host: VirtualHost<Certificate>; acceptor: Acceptor<Certificate> }>();
  readonly conditions = new Map<string, LinkConditions>();
  readonly partitions = new Set<string>();
  readonly streams = new Set<VirtualStream<Certificate>>();
  readonly everywhere: LinkConditions;

  constructor(
    time: VirtualTime,
    { seed = 1, ...conditions }: { seed?: number } & Partial<LinkConditions> = {},
  ) {
    this.time = time;
    this.random = seededRandom(seed);
    this.everywhere = { ...perfect, ...conditions };
  }

  /** A host, which dials and listens; with a proof, its peers see the certificate in it. */
  host(name: string, proof: VirtualProof<Certificate> | null = null): VirtualHost<Certificate> {
    return new VirtualHost(this, name, proof);
  }

  /** Changes one link. */
  setLink(a: string, b: string, conditions: Partial<LinkConditions>): void {
    this.conditions.set(linkOf(a, b), { ...this.everywhere, ...conditions });
  }

  /** From now on nothing passes between two hosts; what is on its way waits. */
  partition(a: string, b: string): void {
    this.partitions.add(linkOf(a, b));
  }

  /** Ends a partition: what waited comes now. */
  heal(a: string, b: string): void {
    this.partitions.delete(linkOf(a, b));
    for (const stream of this.streams) {
      stream.deliver();
      stream.other?.deliver();
    }
  }

  /** A host is gone without a word, as when its power fails: its streams do not even end. */
  vanish(host: string): void {
    for (const [address, { host: listening }] of this.acceptors) {
      if (listening.name === host) this.acceptors.delete(address);
    }
    for (const stream of this.streams) {
      if (stream.host.name === host) stream.vanish();
    }
  }

  isApart(a: string, b: string): boolean {
    return this.partitions.has(linkOf(a, b));
  }

  /** How long the next piece takes between two hosts. */
  delayMs(a: string, b: string): number {
    const { latencyMs, jitterMs, loss, retransmitMs } = this.conditions.get(linkOf(a, b)) ?? this.everywhere;
    let delay = latencyMs + this.random() * jitterMs;
    while (this.random() < loss) delay += retransmitMs;
    return delay;
  }
}

/** One host; it makes streams, as a transport provider does. */
export class VirtualHost<Certificate> {
  readonly network: VirtualNetwork<Certificate>;
  readonly name: string;
  readonly proof: VirtualProof<Certificate> | null;
  readonly authenticated: boolean;
  ports = 0;

  constructor(network: VirtualNetwork<Certificate>, name: string, proof: VirtualProof<Certificate> | null) {
    this.network = network;
    this.name = name;
    this.proof = proof;
    this.authenticated = proof !== null;
  }

  /** An address is any text; who listens at it is found when the attempt arrives. */
  dial(address: string, dialled: Dialled<Certificate>): () => void {
    let wanted = true;
    const { network } = this;
    const attempt = () => {
      if (!wanted) return;
      const target = network.acceptors.get(address);
      if (target !== undefined && network.isApart(this.name, target.host.name)) {
        network.time.after(100, attempt);
        return;
      }
      const taker = target?.acceptor.accept({ address: this.name }) ?? null;
      if (target === undefined || taker === null) {
        dialled.failed(new Error(target === undefined ? "connection refused" : "connection reset"));
        return;
      }
      const [here, there] = streamPair(this, target.host, address);
      taker.up(there);
      network.time.after(network.delayMs(this.name, target.host.name), () => {
        if (wanted) dialled.up(here);
        else here.destroy();
      });
    };
    const first = network.acceptors.get(address)?.host.name ?? this.name;
    network.time.after(network.delayMs(this.name, first), attempt);
    return () => {
      wanted = false;
    };
  }

  async listen(
    address: string,
    acceptor: Acceptor<Certificate>,
  ): Promise<{ address: string; close: () => Promise<void> }> {
    this.network.acceptors.set(address, { host: this, acceptor });
    return {
      address,
      close: async () => {
        this.network.acceptors.delete(address);
      },
    };
  }
}

function streamPair<Certificate>(
  dialler: VirtualHost<Certificate>,
  listener: VirtualHost<Certificate>,
  address: string,
): readonly [VirtualStream<Certificate>, VirtualStream<Certificate>] {
  const here = new VirtualStream(dialler, listener, address);
  const there = new VirtualStream(listener, dialler, `${dialler.name}:${++dialler.ports}`);
  here.other = there;
  there.other = here;
  return [here, there];
}

/** Something on its way: bytes, or the end of the stream. */
type Piece = { readonly arrivesAt: number; readonly bytes: Uint8Array | null; readonly error: Error | null };

/** One end of a stream. */
export class VirtualStream<Certificate> {
  readonly host: VirtualHost<Certificate>;
  readonly peer: VirtualHost<Certificate>;
  readonly remote: string;
  readonly certificate: Certificate | null;
  readonly ownKeyThumbprint: Uint8Array;
  other: VirtualStream<Certificate> | null = null;
  user: User | null = null;
  /** What comes, in order. */
  incoming: Piece[] = [];
  /** Bytes that were written and not yet read by the other end. */
  underway = 0;
  blocked = false;
  paused = false;
  lastArrival = 0;
  state: "open" | "closing" | "ended" = "open";

  constructor(host: VirtualHost<Certificate>, peer: VirtualHost<Certificate>, remote: string) {
    this.host = host;
    this.peer = peer;
    this.remote = remote;
    this.certificate = peer.proof?.certificate ?? null;
    this.ownKeyThumbprint = host.proof?.keyThumbprint ?? noKey;
    host.network.streams.add(this);
  }

  use(user: User): void {
    this.user = user;
    this.deliver();
  }

  write(bytes: Uint8Array): boolean {
    if (this.state !== "open") return false;
    this.underway += bytes.length;
    this.send(bytes.slice(), null);
    this.blocked ||= this.underway > highWaterBytes;
    return !this.blocked;
  }

  /** Ends both directions once what was written has arrived. */
  close(): void {
    if (this.state !== "open") return;
    this.state = "closing";
    this.send(null, null);
  }

  /** Ends it at once; the other end is told as soon as the link lets it be. */
  destroy(): void {
    if (this.state === "ended") return;
    if (this.state === "open") this.send(null, new Error("connection reset"));
    this.finish(null);
  }

  /** Stops to read, for ever or until `resume`. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.deliver();
  }

  /** Gone without a word. */
  vanish(): void {
    this.state = "ended";
    this.user = null;
    this.host.network.streams.delete(this);
  }

  send(bytes: Uint8Array | null, error: Error | null): void {
    const { network, name } = this.host;
    const { other } = this;
    if (other === null) return;
    const arrivesAt = Math.max(other.lastArrival, network.time.now() + network.delayMs(name, this.peer.name));
    other.lastArrival = arrivesAt;
    other.incoming.push({ arrivesAt, bytes, error });
    network.time.plan(arrivesAt, () => other.deliver());
  }

  /** Gives the user what has arrived, unless it does not read or the hosts are apart. */
  deliver(): void {
    const { network, name } = this.host;
    while (!this.paused && (this.user !== null || this.state === "ended")) {
      const [piece] = this.incoming;
      if (piece === undefined || piece.arrivesAt > network.time.now()) return;
      if (network.isApart(name, this.peer.name)) return;
      this.incoming.shift();
      this.take(piece);
    }
  }

  take({ bytes, error }: Piece): void {
    if (this.state === "ended") {
      // Bytes for a stream that nobody has any more are answered with a reset, unless the whole host is gone.
      if (bytes !== null && this.user !== null) this.other?.reset();
      return;
    }
    if (bytes === null) {
      if (this.state === "open") this.send(null, null);
      this.finish(error);
      return;
    }
    this.other?.acknowledge(bytes.length);
    if (this.state === "open") this.user?.onData(bytes);
  }

  /** The other end has read so much. */
  acknowledge(length: number): void {
    this.underway -= length;
    if (!this.blocked || this.underway > highWaterBytes / 2) return;
    this.blocked = false;
    this.host.network.time.after(0, () => {
      if (this.state === "open" && !this.blocked) this.user?.onDrain();
    });
  }

  reset(): void {
    const { network, name } = this.host;
    network.time.after(network.delayMs(name, this.peer.name), () => {
      if (this.state !== "ended") this.finish(new Error("connection reset"));
    });
  }

  finish(error: Error | null): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.host.network.streams.delete(this);
    this.user?.onEnd(error);
  }
}

function linkOf(a: string, b: string): string {
  return [a, b].sort().join(" ");
}

/** Numbers from 0 up to and without 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
