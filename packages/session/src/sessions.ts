import { randomBytes } from "node:crypto";
import { nodeNameOf } from "@catalyst/identity";
import type { Channel } from "./channel.ts";
import { type Clock, systemClock } from "./clock.ts";
import { survivor } from "./collision.ts";
import { Departed } from "./departed.ts";
import { type EndReason, SessionError } from "./errors.ts";
import type { SessionEvents } from "./events.ts";
import { HalfOpen } from "./half-open.ts";
import type { SessionEvent } from "./machine.ts";
import { decodeMessage, encodeMessage } from "./message/message.ts";
import type { Open } from "./message/open.ts";
import { type Agreement, agree } from "./negotiation.ts";
import { type SessionOptions, sessionOptions } from "./options.ts";
import type { Admit, Peer } from "./peer.ts";
import { RatePerKey } from "./rate.ts";
import { Session, type SessionSubject, type SessionUser } from "./session.ts";
import { type SessionSnapshot, snapshotOf } from "./snapshot.ts";
import type { Dialled, Listening, Transport, TransportProvider } from "./transport.ts";

/** A protocol that uses sessions: `cp/v1` is the name `cp` with the version 1. */
export type ProtocolUser = {
  readonly name: string;
  readonly versions: readonly number[];
  /** In place of the windows of the options. */
  readonly windowMessages?: number;
  readonly windowBytes?: number;
  /** Gets a channel for each session in which the protocol was agreed. */
  readonly open: (channel: Channel) => void;
};

/** A peer that is dialled: its name, where it is, and what for. */
export type DialledPeer = {
  readonly node: string;
  readonly address: string;
  /** One session for each. Default: `control` alone. */
  readonly purposes?: readonly string[];
};

/** What sessions are made of. */
export type SessionsParts = {
  /** The node's full name, and its organisation's: `n1.acme.catalyst.internal` of `acme.catalyst.internal`. */
  readonly node: string;
  readonly domain: string;
  readonly transports: TransportProvider;
  readonly protocols: readonly ProtocolUser[];
  /** What peers are told of this node. Default: nothing. */
  readonly capabilities?: readonly string[];
  /** Who may speak which protocol: asked when an OPEN came, and by `reconsider`. */
  readonly admit: Admit;
  readonly events?: SessionEvents;
  /** Default: this machine's. */
  readonly clock?: Clock;
  /** From 0 up to and without 1. Default `Math.random`; it spreads attempts in time, and keeps no secret. */
  readonly random?: () => number;
};

/** All sessions of a process. */
export type Sessions = AsyncDisposable & {
  /** Takes connections at an address too. Resolves to the address with the port that was chosen. */
  listen(address: string): Promise<string>;
  /** Which peers are dialled, from now on. Those that are no longer among them are told `stopped`. */
  setPeers(peers: readonly DialledPeer[]): void;
  /**
   * What this node shows, or whom it believes, is another one: asks `admit` anew about everybody who has a session, ends
   * those in which somebody speaks what they no longer may, and dials at once whom it would dial later.
   */
  reconsider(): void;
  snapshot(): SessionsSnapshot;
  /** Ends all sessions and takes no more. `restarting` lets peers expect this node back. */
  close(code?: "stopped" | "restarting", text?: string): Promise<void>;
};

/** All sessions, as `status` shows them. */
export type SessionsSnapshot = {
  readonly node: string;
  readonly listening: readonly string[];
  /** False when peers prove nothing: then everybody who reaches the address may be anybody. */
  readonly authenticated: boolean;
  readonly halfOpen: number;
  readonly sessions: readonly SessionSnapshot[];
};

/**
 * Makes the sessions of a process: one established session for each peer and purpose, whoever dialled. Throws
 * {@link SessionError} `misused` for options out of range, and for names that no peer would accept.
 *
 * @example
 * const sessions = createSessions({ node, domain, transports, admit, protocols: [{ name: "cp", versions: [1], open }] });
 * await sessions.listen("0.0.0.0:7400");
 * sessions.setPeers([{ node: "n2.acme.catalyst.internal", address: "10.0.0.2:7400" }]);
 */
export function createSessions(parts: SessionsParts, options: Partial<SessionOptions> = {}): Sessions {
  const checked = sessionOptions.safeParse(options);
  if (!checked.success) throw new SessionError("misused", checked.error.message, { cause: checked.error });
  const registry = new Registry(parts, checked.data);
  const close: Sessions["close"] = (code = "stopped", text = "the node goes down") =>
    registry.close(code, text);
  return {
    listen: (address) => registry.listen(address),
    setPeers: (peers) => registry.setPeers(peers),
    reconsider: () => registry.reconsider(),
    snapshot: () => registry.snapshot(),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

class Registry {
  readonly #parts: SessionsParts;
  readonly #options: SessionOptions;
  readonly #clock: Clock;
  readonly #incarnation = new Uint8Array(randomBytes(16));
  readonly #halfOpen: HalfOpen;
  /** Dialled ones by peer and purpose, with the address; they stay when a session ends. */
  readonly #dialled = new Map<string, { readonly address: string; readonly session: Session }>();
  readonly #answered = new Set<Session>();
  readonly #departed = new Departed();
  /** How often each peer opens sessions. */
  readonly #openings: RatePerKey;
  #listening: readonly Listening[] = [];
  #closed = false;

  constructor(parts: SessionsParts, options: SessionOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#clock = parts.clock ?? systemClock;
    this.#halfOpen = new HalfOpen(options);
    this.#openings = new RatePerKey({ burst: options.reopenBurst, intervalMs: options.reopenIntervalMs });
    this.#checkParts();
  }

  /** What we say of ourselves is what others accept. Throws {@link SessionError} `misused`. */
  #checkParts(): void {
    try {
      decodeMessage(
        encodeMessage("open", this.#openFor("control", { ownKeyThumbprint: new Uint8Array(32) })),
      );
    } catch (cause) {
      throw new SessionError("misused", `no peer would accept this node: ${String(cause)}`, { cause });
    }
  }

  get #all(): readonly Session[] {
    return [...Array.from(this.#dialled.values(), ({ session }) => session), ...this.#answered];
  }

  async listen(address: string): Promise<string> {
    const listening = await this.#parts.transports.listen(address, {
      accept: (remote) => this.#accept(remote.address),
    });
    this.#listening = [...this.#listening, listening];
    return listening.address;
  }

  /** Takes a connection in, or turns it away. It counts as half open until it is a session, or over. */
  #accept(address: string): Dialled | null {
    const begunAt = this.#clock.now();
    const leave = this.#closed ? null : this.#halfOpen.enter(address, begunAt);
    if (leave === null) {
      this.#parts.events?.turnedAway(address);
      return null;
    }
    return {
      failed: leave,
      up: (transport) => {
        const session = new Session(this.#userOf({ transport, leave }), null, begunAt);
        this.#answered.add(session);
        session.answer(transport);
      },
    };
  }

  setPeers(peers: readonly DialledPeer[]): void {
    const wanted = new Map<string, { subject: SessionSubject; address: string }>(
      peers.flatMap(({ node, address, purposes = ["control"] }) =>
        purposes.map((purpose) => [`${node} ${purpose}`, { subject: { node, purpose }, address }] as const),
      ),
    );
    for (const [key, { address, session }] of this.#dialled) {
      if (wanted.get(key)?.address === address) continue;
      this.#dialled.delete(key);
      session.stop({ code: "stopped", text: "the peer is no longer configured", by: "us" }, false);
    }
    for (const [key, { subject, address }] of wanted) {
      if (this.#dialled.has(key)) continue;
      const session = new Session(this.#userOf({ address }), subject);
      this.#dialled.set(key, { address, session });
      this.#wake(subject);
    }
  }

  reconsider(): void {
    const waiting = this.#all.filter(({ state }) => state.kind === "idle" && state.retryAt !== null);
    for (const session of this.#all) {
      const { agreement, transport } = session;
      if (agreement === null || transport === null) continue;
      const { node, domain, keyThumbprint } = agreement.peer;
      const { remote, certificate } = transport;
      const candidate = { node, domain, keyThumbprint, purpose: agreement.purpose, remote, certificate };
      for (const { name } of agreement.protocols) {
        const verdict = this.#parts.admit(candidate, name);
        if (verdict.admitted) continue;
        session.stop({ code: "not_admitted", text: verdict.reason, by: "us" }, true);
        break;
      }
    }
    for (const session of waiting) session.dispatch({ kind: "start" });
  }

  snapshot(): SessionsSnapshot {
    return {
      node: this.#parts.node,
      listening: this.#listening.map(({ address }) => address),
      authenticated: this.#parts.transports.authenticated,
      halfOpen: this.#halfOpen.total,
      sessions: this.#departed.beside(this.#all.map((session) => snapshotOf(session, this.#clock))),
    };
  }

  async close(code: "stopped" | "restarting", text: string): Promise<void> {
    this.#closed = true;
    for (const session of this.#all) session.stop({ code, text, by: "us" }, false);
    await Promise.all(this.#listening.map((each) => each.close()));
  }

  /** What a session asks of us; `address` is where it dials, `leave` gives its place among the half-open ones back. */
  #userOf(from: { address: string } | { transport: Transport; leave: () => void }): SessionUser {
    const [clock, timings] = [this.#clock, this.#options];
    const leave = "leave" in from ? from.leave : () => undefined;
    return {
      clock,
      random: this.#parts.random ?? Math.random,
      timings,
      dial: (to) => ("address" in from ? this.#parts.transports.dial(from.address, to) : () => undefined),
      openFor: (purpose, transport) => this.#openFor(purpose, transport),
      judge: (session, own, theirs) => this.#judge(session, own, theirs),
      onUp: (session, transport) => this.#up(session, transport),
      onEstablished: (session) => {
        leave();
        this.#established(session);
      },
      onEnded: (session, reason, established) => {
        leave();
        if ("transport" in from) this.#depart(session, from.transport);
        this.#ended(session, {
          reason,
          established,
          remote: "address" in from ? from.address : from.transport.remote,
        });
      },
    };
  }

  /** Nothing is sent to another node than the one that was dialled, or where a session came about meanwhile. */
  #up({ subject }: Session, { certificate }: Transport): SessionEvent {
    if (subject === null) throw new Error("unreachable: dialled for nobody");
    const found = certificate?.id == null ? subject.node : nodeNameOf(certificate.id);
    if (found !== subject.node) {
      const code = found === this.#parts.node ? "self_connection" : "identity_mismatch";
      return { kind: "fault", code, text: `${subject.node} was dialled, ${found} answered` };
    }
    if (this.#agreedWith(subject).length === 0) return { kind: "up" };
    const reason: EndReason = { code: "collision", text: "a session is there already", by: "us" };
    return { kind: "stop", reason, again: false };
  }

  #openFor(purpose: string, { ownKeyThumbprint }: Pick<Transport, "ownKeyThumbprint">): Open {
    const { node, domain, protocols, capabilities = [] } = this.#parts;
    const { holdMs, maxFrameBytes } = this.#options;
    return {
      versions: [1],
      node,
      domain,
      keyThumbprint: ownKeyThumbprint,
      incarnation: this.#incarnation,
      nonce: new Uint8Array(randomBytes(32)),
      purpose,
      holdMs,
      maxFrameBytes,
      protocols: protocols
        .map(({ name, versions, windowMessages, windowBytes }) => ({
          name,
          versions: versions.toSorted((a, b) => a - b),
          windowMessages: windowMessages ?? this.#options.windowMessages,
          windowBytes: windowBytes ?? this.#options.windowBytes,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      capabilities: capabilities.toSorted(),
      timeMs: this.#clock.wall(),
    };
  }

  #judge(session: Session, own: Open, theirs: Open): Agreement {
    const { transport, role, subject } = session;
    const agreement = agree({
      own,
      theirs,
      remote: transport?.remote ?? "",
      certificate: transport?.certificate ?? null,
      expected: role === "dialler" ? (subject?.node ?? null) : null,
      receivedAt: this.#clock.wall(),
      admit: this.#parts.admit,
    });
    const rivals = this.#rivalsOf(session, theirs);
    if (role === "listener") {
      this.#checkCollision(agreement.peer, rivals);
      this.#checkRoom(theirs, rivals.length);
      this.#checkRate(theirs);
    }
    for (const rival of rivals) {
      rival.stop({ code: "collision", text: "another connection for this purpose stays", by: "us" }, true);
    }
    return agreement;
  }

  /** spec/session.md §6: who was dialled decides which connection stays; who dialled follows. */
  #checkCollision(peer: Peer, rivals: readonly Session[]): void {
    const newcomer = { role: "listener", incarnation: peer.incarnation } as const;
    const names = { own: this.#parts.node, peer: peer.node };
    const staying = rivals.find((rival) => survivor(newcomer, rival.contender, names) === "other");
    if (staying === undefined) return;
    staying.dispatch({ kind: "probe" });
    throw new SessionError("collision", "another connection for this purpose stays");
  }

  /** A peer has one session for each purpose, and no more than so many. */
  #checkRoom({ node }: Open, replaced: number): void {
    const agreed = this.#all.filter(({ agreement }) => agreement !== null);
    const ofPeer = agreed.filter(({ agreement }) => agreement?.peer.node === node);
    const { maxSessions, maxSessionsPerPeer } = this.#options;
    if (ofPeer.length - replaced < maxSessionsPerPeer && agreed.length - replaced < maxSessions) return;
    const text = `${node} has ${ofPeer.length} sessions, the node ${agreed.length}`;
    throw new SessionError("too_many_sessions", text);
  }

  /** Each session costs a handshake and all that its protocols say at the beginning. */
  #checkRate({ node }: Open): void {
    const retryAfterMs = this.#openings.take(node, this.#clock.now());
    if (retryAfterMs === 0) return;
    const text = `${node} opens sessions too often; the next one in ${Math.ceil(retryAfterMs / 1_000)} s`;
    throw new SessionError("too_soon", text, { retryAfterMs });
  }

  #rivalsOf(session: Session, { node, purpose }: SessionSubject): readonly Session[] {
    return this.#of({ node, purpose }).filter(
      (other) => other !== session && (other.agreement !== null || other.state.kind === "open_sent"),
    );
  }

  #agreedWith(subject: SessionSubject): readonly Session[] {
    return this.#of(subject).filter(({ agreement }) => agreement !== null);
  }

  #of({ node, purpose }: SessionSubject): readonly Session[] {
    return this.#all.filter(({ subject }) => subject?.node === node && subject.purpose === purpose);
  }

  #established(session: Session): void {
    const { agreement, transport, subject } = session;
    if (agreement === null || transport === null || subject === null) return;
    const { peer } = agreement;
    for (const other of this.#of(subject)) {
      if (other.state.kind === "idle" || other.state.kind === "connect") {
        other.stop({ code: "collision", text: "a session is there already", by: "us" }, false);
      }
    }
    this.#parts.events?.established(agreement, transport.remote);
    if (Math.abs(peer.clockSkewMs) > this.#options.maxClockSkewMs) {
      this.#parts.events?.skewed(peer.node, peer.clockSkewMs);
    }
    for (const { name, open } of this.#parts.protocols) {
      const channel = session.channels.get(name)?.channel;
      if (channel !== undefined) open(channel);
    }
  }

  /** A session that was answered is over. Who it was is what its certificate said, or the OPEN that was agreed with. */
  #depart(session: Session, { certificate, remote }: Transport): void {
    this.#answered.delete(session);
    const node = certificate?.id == null ? session.subject?.node : nodeNameOf(certificate.id);
    if (node === undefined || session.lastEnd?.reason.code === "collision") return;
    this.#departed.add(node, { ...snapshotOf(session, this.#clock), remote });
  }

  #ended(session: Session, end: { reason: EndReason; established: boolean; remote: string }): void {
    const { subject } = session;
    this.#parts.events?.ended({ peer: subject?.node ?? null, purpose: subject?.purpose ?? null, ...end });
    if (subject !== null && end.reason.code !== "collision") this.#wake(subject);
  }

  /** Has a peer dialled that nobody has a session with; those that wait for their next attempt wait on. */
  #wake({ node, purpose }: SessionSubject): void {
    const session = this.#dialled.get(`${node} ${purpose}`)?.session;
    if (this.#closed || session === undefined || this.#agreedWith({ node, purpose }).length > 0) return;
    const { state } = session;
    if (state.kind === "idle" && state.retryAt === null) session.dispatch({ kind: "start" });
  }
}
