import { AttributeCache, type AttributeSet, isSameSet } from "./attribute-set.ts";
import type { NextHop } from "./attributes.ts";
import { type SelectionChange, selectBest } from "./best-path.ts";
import { type DampingOptions, defaultDamping } from "./damping.ts";
import { type CloseCode, isCloseCode, PeeringError } from "./errors.ts";
import { Expiries } from "./expiries.ts";
import { exportJudge } from "./export-path.ts";
import type { Health } from "./health.ts";
import { importJudge } from "./import-path.ts";
import { defaultLimits, type PeerLimits } from "./limits.ts";
import { LocRib } from "./loc-rib.ts";
import { decodeMessage } from "./message.ts";
import type { OriginNames } from "./name-list.ts";
import { Outbound } from "./outbound.ts";
import { ownAttributes } from "./own-route.ts";
import type { Path, UsablePath } from "./path.ts";
import { Peer, type Session } from "./peer.ts";
import { compilePolicy, type Policy, type PolicyRule, type Verdict } from "./policy.ts";
import {
  describeBest,
  describeChange,
  describeRemoval,
  describeRoute,
  type Removal,
  type RouteEvent,
  type SessionEnd,
  type Tap,
} from "./route-event.ts";
import type { Effects, Moment, OwnRoute, SpeakerEvent } from "./speaker-event.ts";
import type { Announced, Update } from "./update.ts";

export type SpeakerOptions = {
  /** This node, `<label>.<domain>`, and its organisation's domain. */
  readonly node: string;
  readonly domain: string;
  /** This node's Envoy, as other nodes' Envoys reach it. */
  readonly nextHop: NextHop;
  readonly import?: readonly PolicyRule[];
  readonly export?: readonly PolicyRule[];
  readonly limits?: Partial<PeerLimits>;
  readonly damping?: Partial<DampingOptions>;
  /** How long routes of a peer that went away are used. Default 120,000. */
  readonly restartMs?: number;
  /** How long peers that are expected after the start are waited for. Default 5,000. */
  readonly deferMs?: number;
  /** The least time between two HEALTH messages to one peer. Default 500. */
  readonly healthIntervalMs?: number;
};

/** How long a change of the wall clock can go unseen where routes expire. */
const clockCheckMs = 60_000;
const expired: Verdict = { attributes: null, rule: "expired" };
const damped: Verdict = { attributes: null, rule: "damped" };
const unsaid: SessionEnd = { code: "unknown", text: "nobody said why", by: null };
const replaced: SessionEnd = { code: "replaced", text: "a newer session took its place", by: null };

/**
 * The tables of a node, spec/peering.md: what each peer told (Adj-RIB-In), what import policy let in (Loc-RIB), and what
 * each peer was told by export policy (Adj-RIB-Out). Nothing here does anything by itself: events come in with the time
 * that it is, effects go out.
 *
 * @example
 * const speaker = new Speaker({ node: "n1.acme.catalyst.internal", domain: "acme.catalyst.internal", nextHop });
 * speaker.step({ kind: "up", peer: "n2.acme.catalyst.internal", domain: "acme.catalyst.internal" }, now);
 */
export class Speaker {
  /** Is told of what happens to routes and sessions while somebody looks on; null, as it begins, costs nothing. */
  tap: Tap | null = null;
  readonly self: SpeakerOptions;
  readonly #limits: PeerLimits;
  readonly #damping: DampingOptions;
  readonly #restartMs: number;
  readonly #cache = new AttributeCache();
  readonly #locRib = new LocRib();
  readonly #own: Peer;
  readonly #peers = new Map<string, Peer>();
  readonly #expiries = new Expiries();
  readonly #import: Policy;
  readonly #export: Policy;
  #now: Moment = { instant: 0, wall: 0 };
  #changed = new Set<string>();
  #complete: string[] = [];
  #closed: { peer: string; code: CloseCode; text: string }[] = [];
  /** Peers that are expected, and have not told all of their routes. */
  readonly #expected = new Set<string>();
  /** Until when they are waited for. */
  #deferredUntil = 0;

  /** Throws {@link PeeringError} `policy_invalid`. */
  constructor(options: SpeakerOptions) {
    this.self = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#damping = { ...defaultDamping, ...options.damping };
    this.#restartMs = options.restartMs ?? 120_000;
    this.#own = new Peer(options.node, options.domain, true, this.#damping);
    this.#import = compilePolicy(options.import ?? []);
    this.#export = compilePolicy(options.export ?? []);
  }

  /**
   * One event at its moment. Throws {@link PeeringError} `route_invalid` for what this node's own side gave, and has then
   * changed nothing; what a peer sends never throws.
   */
  step(event: SpeakerEvent, now: Moment): Effects {
    this.#now = now;
    this.#handle(event);
    this.#passTime();
    const send = [...this.#peers.values()].flatMap((peer) => {
      const messages = peer.session?.outbound.take(now.instant, this.#knowsAllFor(peer)) ?? [];
      return messages.length > 0 ? [{ peer: peer.node, messages }] : [];
    });
    const [close, complete] = [this.#closed, this.#complete];
    const effects = { send, close, changed: [...this.#changed], complete, wakeAt: this.#wakeAt() };
    this.#closed = [];
    this.#complete = [];
    this.#changed = new Set();
    return effects;
  }

  /** The best path of each origin of a service, the best one first: what the data plane uses, and falls back to. */
  routes(service: string): readonly UsablePath[] {
    return selectBest(this.#locRib.paths(service));
  }

  /** All usable paths of a service in order of preference. */
  paths(service: string): readonly UsablePath[] {
    return this.#locRib.paths(service);
  }

  services(): Iterable<string> {
    return this.#locRib.services();
  }

  /** The peers that are known, also those that are away. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** The services of this node's own. */
  get own(): Peer {
    return this.#own;
  }

  /** What export makes of a path for a peer that has a session. */
  exportOf(peer: Peer, session: Session, path: UsablePath): Verdict {
    const { attributes } = path.verdict;
    let judge = session.exportJudges.get(attributes);
    if (judge === undefined) {
      const parts = { exporter: this.self, policy: this.#export, cache: this.#cache };
      judge = exportJudge(parts, peer, attributes);
      session.exportJudges.set(attributes, judge);
    }
    return judge(path.service);
  }

  #handle(event: SpeakerEvent): void {
    switch (event.kind) {
      case "up":
        this.#begin(event.peer, event.domain);
        break;
      case "message":
        this.#receive(event.peer, event.bytes);
        break;
      case "taken":
        this.#peers.get(event.peer)?.session?.outbound.taken();
        break;
      case "down":
        this.#end(event.peer, event.retain, event.end ?? unsaid);
        break;
      case "expect":
        for (const peer of event.peers) this.#expected.add(peer);
        this.#deferredUntil = this.#now.instant + (this.self.deferMs ?? 5_000);
        break;
      case "remove":
        this.#expected.delete(event.peer);
        this.#remove(event.peer);
        break;
      case "originate":
        this.#originate(event.route);
        break;
      case "withdraw":
        for (const path of this.#own.rib.pathsOf(event.service)) this.#forget(this.#own, path, "withdrawn");
        break;
      case "health":
        for (const path of this.#own.rib.pathsOf(event.service))
          this.#setHealth(this.#own, path, event.healthy);
        break;
      case "tick":
    }
  }

  #begin(node: string, domain: string): void {
    this.#end(node, true, replaced);
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      peer = new Peer(node, domain, domain === this.self.domain, this.#damping);
      this.#peers.set(node, peer);
    }
    const known = peer;
    const exportPath = (path: UsablePath) =>
      known.session === null ? null : this.exportOf(known, known.session, path).attributes;
    const outbound = new Outbound(this.#locRib, exportPath, this.self.healthIntervalMs ?? 500);
    known.beginSession(outbound, this.#limits, this.#now.instant);
    if (known.rib.routes > 0) known.staleUntil = this.#now.instant + this.#restartMs;
    this.tap?.({ kind: "session_up", peer: node }, this.#now);
  }

  #end(node: string, retain: boolean, end: SessionEnd): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    const wasUp = peer.session !== null;
    peer.session = null;
    if (wasUp) this.#tellDown(peer, retain, end);
    if (!retain) this.#sweep(peer, "session_ended");
    else if (wasUp) peer.staleUntil = this.#now.instant + this.#restartMs;
  }

  #tellDown({ node, rib }: Peer, retain: boolean, end: SessionEnd): void {
    this.tap?.({ kind: "session_down", peer: node, end, stale: retain ? rib.routes : 0 }, this.#now);
    if (this.tap === null || !retain) return;
    for (const path of rib.paths()) this.tap(describeRoute("stale", path), this.#now);
  }

  #close(peer: Peer, code: CloseCode, text: string): void {
    this.#closed.push({ peer: peer.node, code, text });
    this.#end(peer.node, false, { code, text, by: "us" });
  }

  #remove(node: string): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    if (peer.session !== null) this.#close(peer, "peer_removed", "this peer was removed");
    else this.#sweep(peer, "peer_removed");
    this.#peers.delete(node);
  }

  #originate(route: OwnRoute): void {
    const attributes = this.#cache.make(this.self.node, ownAttributes(this.self, route));
    const before = this.#own.rib.get(this.self.node, route.service);
    this.#tell(this.#own, attributes, route.service, before?.healthy ?? true);
  }

  #receive(node: string, bytes: Uint8Array): void {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.session === null) return;
    try {
      const message = decodeMessage(bytes);
      if (!peer.session.rate.take(costOf(message), this.#now.instant)) {
        throw new PeeringError("limit_rate", `more than ${this.#limits.changesPerSecond} changes a second`);
      }
      if (message === null) return;
      if (message.kind === "update") this.#update(peer, peer.session, message);
      else if (message.kind === "health") this.#health(peer, peer.session, message);
      else if (message.kind === "refresh") peer.session.outbound.refresh(message.number);
      else if (message.refresh === peer.session.awaited) this.#endOfRib(peer, peer.session);
    } catch (error) {
      if (!(error instanceof PeeringError) || !isCloseCode(error.code)) throw error;
      this.#close(peer, error.code, error.message);
    }
  }

  #update(peer: Peer, session: Session, { withdrawn, announced }: Update): void {
    for (const names of withdrawn) this.#withdraw(peer, names);
    if (announced === null) return;
    const attributes = this.#readAttributes(peer, announced);
    if (attributes === null) this.#withdraw(peer, announced);
    else
      for (const service of announced.services)
        this.#tell(peer, attributes, service, announced.healthy, session);
  }

  #readAttributes(peer: Peer, { origin, attributes }: Announced): AttributeSet | null {
    try {
      return this.#cache.read(origin, attributes);
    } catch (error) {
      if (!(error instanceof PeeringError)) throw error;
      peer.malformed += 1;
      return null;
    }
  }

  /** A source says that there is this route. */
  #tell(
    source: Peer,
    attributes: AttributeSet,
    service: string,
    healthy: boolean,
    session: Session | null = null,
  ): void {
    const before = source.rib.get(attributes.origin, service);
    const { round } = source.rib;
    if (before !== null && isSameSet(before.received, attributes)) {
      const isRenewed = session !== null && before.round < session.firstRound;
      before.round = round;
      if (isRenewed) this.tap?.(describeRoute("renewed", before), this.#now);
      this.#setHealth(source, before, healthy);
      return;
    }
    const isOld = before !== null && session !== null && before.round < session.firstRound;
    if (before !== null && !isOld && source !== this.#own) {
      source.damping.add(routeKey(attributes.origin, service), "change", this.#now.instant);
    }
    const verdict = this.#judge(source, attributes, service);
    this.#replace(source, before, { service, source, received: attributes, verdict, healthy, round });
    if (session !== null) this.#checkLimits(source, service);
  }

  #checkLimits({ rib, node }: Peer, service: string): void {
    const { maxRoutes, maxBytes, maxOrigins } = this.#limits;
    const refuse = (code: CloseCode, what: string) => {
      throw new PeeringError(code, what);
    };
    if (rib.routes > maxRoutes) refuse("limit_routes", `more than ${maxRoutes} routes`);
    if (rib.bytes > maxBytes) refuse("limit_bytes", `routes of more than ${maxBytes} bytes`);
    const paths = this.#locRib.paths(service);
    if (paths.length > maxOrigins && paths.filter(({ source }) => source.node === node).length > maxOrigins) {
      refuse("limit_origins", `${service} from more than ${maxOrigins} nodes`);
    }
  }

  #withdraw(peer: Peer, { origin, services }: OriginNames): void {
    for (const service of services) {
      const path = peer.rib.get(origin, service);
      if (path === null) continue;
      peer.damping.add(routeKey(origin, service), "withdrawal", this.#now.instant);
      this.#forget(peer, path, "withdrawn");
    }
  }

  #health(peer: Peer, session: Session, { unhealthy, healthy }: Health): void {
    for (const [lists, value] of [[unhealthy, false] as const, [healthy, true] as const]) {
      for (const { origin, services } of lists) {
        for (const service of services) {
          const path = peer.rib.get(origin, service);
          if (path !== null && path.round >= session.firstRound) this.#setHealth(peer, path, value);
        }
      }
    }
  }

  /** Whether END_OF_RIB is true for a peer: what others still have to tell may be what it kept of this node. */
  #knowsAllFor({ node }: Peer): boolean {
    return this.#expected.size === 0 || (this.#expected.size === 1 && this.#expected.has(node));
  }

  #endOfRib(peer: Peer, session: Session): void {
    session.awaited = null;
    this.#expected.delete(peer.node);
    peer.staleUntil = null;
    this.#complete.push(peer.node);
    this.#sweep(peer, "not_announced_again", (path) => peer.rib.isStale(path));
  }

  /** Removes routes of a peer, by default all of them. */
  #sweep(peer: Peer, removal: Removal, isGone: (path: Path) => boolean = () => true): void {
    peer.staleUntil = null;
    for (const path of peer.rib.paths()) if (isGone(path)) this.#forget(peer, path, removal);
  }

  #judge(source: Peer, attributes: AttributeSet, service: string): Verdict {
    if (attributes.expiry !== null && attributes.expiry <= this.#now.wall) return expired;
    if (source === this.#own) return { attributes, rule: "own" };
    const { damping } = source;
    if (!damping.isQuiet && damping.isSuppressed(routeKey(attributes.origin, service))) return damped;
    let judge = source.importJudges.get(attributes);
    if (judge === undefined) {
      const parts = { self: this.self, policy: this.#import, cache: this.#cache };
      judge = importJudge(parts, source, attributes);
      source.importJudges.set(attributes, judge);
    }
    return judge(service);
  }

  #judgeAgain(source: Peer, path: Path): void {
    const verdict = this.#judge(source, path.received, path.service);
    if (isSameVerdict(verdict, path.verdict)) return;
    this.#replace(source, path, { ...path, verdict });
  }

  #setHealth(source: Peer, path: Path, healthy: boolean): void {
    if (path.healthy !== healthy) this.#replace(source, path, { ...path, healthy });
  }

  #replace(source: Peer, before: Path | null, path: Path): void {
    if (before !== null) this.#expiries.delete(before);
    source.rib.put(path, before);
    if (path.verdict !== expired) this.#expiries.add(path);
    this.#select(path, before, path, this.tap && describeChange(before, path, this.#now.wall));
  }

  #forget(source: Peer, path: Path, removal: Removal): void {
    source.rib.delete(path);
    this.#expiries.delete(path);
    this.#select(path, path, null, this.tap && describeRemoval(path, removal));
  }

  #select(path: Path, gone: Path | null, come: Path | null, event: RouteEvent | null): void {
    const { service } = path;
    const before = event && this.#locRib.paths(service);
    this.#note(service, this.#locRib.replace(service, gone, come));
    if (event === null || before === null) return;
    this.tap?.(event, this.#now);
    const best = describeBest(path, before, this.#locRib.paths(service));
    if (best !== null) this.tap?.(best, this.#now);
  }

  #note(service: string, { routes, endpoints, health }: SelectionChange): void {
    if (endpoints) this.#changed.add(service);
    if (!routes && !health) return;
    for (const { session } of this.#peers.values()) {
      if (routes) session?.outbound.touch(service);
      if (health) session?.outbound.touchHealth(service);
    }
  }

  #passTime(): void {
    const { instant, wall } = this.#now;
    if (this.#deferredUntil <= instant) this.#expected.clear();
    for (const path of this.#expiries.takeEnded(wall)) {
      const { node } = path.source;
      const source = node === this.#own.node ? this.#own : this.#peers.get(node);
      if (source !== undefined) this.#judgeAgain(source, path);
    }
    for (const peer of this.#peers.values()) {
      if (peer.staleUntil !== null && peer.staleUntil <= instant) {
        const isGone = (path: Path) => peer.session === null || peer.rib.isStale(path);
        this.#sweep(peer, "restart_time_over", isGone);
      }
      for (const route of peer.damping.release(instant)) {
        const [origin = "", service = ""] = route.split(" ");
        const path = peer.rib.get(origin, service);
        if (path !== null) this.#judgeAgain(peer, path);
      }
    }
  }

  #wakeAt(): number | null {
    const { instant, wall } = this.#now;
    const times: (number | null)[] = [];
    const { next } = this.#expiries;
    if (next !== null) times.push(instant + Math.min(clockCheckMs, (next - wall) * 1_000));
    if (this.#expected.size > 0) times.push(this.#deferredUntil);
    for (const peer of this.#peers.values()) {
      const next = peer.session?.outbound.nextAt(instant, this.#knowsAllFor(peer)) ?? null;
      times.push(next, peer.staleUntil, peer.damping.next);
    }
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.min(...known);
  }
}

function routeKey(origin: string, service: string): string {
  return `${origin} ${service}`;
}

function isSameVerdict(a: Verdict, b: Verdict): boolean {
  if (a === b) return true;
  if (a.rule !== b.rule) return false;
  if (a.attributes === null || b.attributes === null) return a.attributes === b.attributes;
  return isSameSet(a.attributes, b.attributes);
}

/** What a message counts in the peer's rate: itself, and each route that it speaks of. */
function costOf(message: ReturnType<typeof decodeMessage>): number {
  if (message === null) return 1;
  const count = (lists: readonly OriginNames[]) =>
    lists.reduce((sum, { services }) => sum + services.length, 1);
  if (message.kind === "update") return count(message.withdrawn) + (message.announced?.services.length ?? 0);
  if (message.kind === "health") return count(message.unhealthy) + count(message.healthy) - 1;
  return 1;
}
