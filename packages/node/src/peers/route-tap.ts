import { compileGlob, type Moment, type NameTest, type RouteEvent, type Speaker } from "@catalyst/peering";
import { type RouteEvents, type RouteWatch, RpcError, watchPatienceMs } from "@catalyst/rpc";
import { Announcer } from "../announcer.ts";
import { EventRing, type Reading, type RingLimits } from "./route-tap-ring.ts";
import { type TimedEvent, viewRouteEvent } from "./route-tap-view.ts";

export type RouteTapParts = {
  /** The tables that are looked at; its `tap` belongs to this one. */
  readonly speaker: Pick<Speaker, "tap">;
  /** This node's full name, and its organisation's domain. */
  readonly node: string;
  readonly domain: string;
};

export type RouteTapOptions = {
  /** What is kept for those who watch the same. Default 10,000 events and 8 MiB. */
  readonly keep: RingLimits;
  /** What one answer has. Default 1,000 events and 1 MiB. */
  readonly answer: RingLimits;
  /** So many different things are watched at most. Default 8. */
  readonly maxFeeds: number;
  /** How long nothing is kept any more after the last call. Default 10,000. */
  readonly idleMs: number;
  /** How long a call waits for an event. Default 25,000. */
  readonly patienceMs: number;
};

const defaults: RouteTapOptions = {
  keep: { maxEvents: 10_000, maxBytes: 8 * 1024 * 1024 },
  answer: { maxEvents: 1_000, maxBytes: 1024 * 1024 },
  maxFeeds: 8,
  idleMs: 10_000,
  patienceMs: watchPatienceMs,
};

/** What those see who watch the same. */
type Feed = {
  readonly wants: (event: RouteEvent) => boolean;
  readonly ring: EventRing<TimedEvent>;
  readonly news: Announcer;
  /** Calls that are under way. */
  calls: number;
  idle: NodeJS.Timeout | undefined;
};

/**
 * What happens to routes and sessions, for those who ask in time: whoever asks for the same shares what is kept, and is
 * given only what the filter lets through, so that a flood of other routes costs nobody an event. While nobody asks the
 * speaker has no tap, and nothing is kept.
 */
export class RouteTap implements Disposable {
  readonly #parts: RouteTapParts;
  readonly #options: RouteTapOptions;
  readonly #feeds = new Map<string, Feed>();
  /**
   * The highest number that was given: a feed that begins has higher ones, so that it takes nobody for its reader who
   * saw another one before, be it that of a process that ended since.
   */
  #last = Date.now();
  #isClosed = false;

  constructor(parts: RouteTapParts, options: Partial<RouteTapOptions> = {}) {
    this.#parts = parts;
    this.#options = { ...defaults, ...options };
  }

  /** The events after those that were seen. Rejects with {@link RpcError} `busy` or `draining`. */
  async watch({ after, ...filter }: RouteWatch): Promise<RouteEvents> {
    if (this.#isClosed) throw new RpcError("draining", "the orchestrator goes down");
    const key = JSON.stringify([filter.service, filter.peer]);
    const feed = this.#feeds.get(key) ?? this.#begin(key, filter);
    clearTimeout(feed.idle);
    feed.calls += 1;
    try {
      if (after === undefined) return this.#answer({ next: feed.ring.last, lost: 0, events: [] });
      const { answer } = this.#options;
      const reading = feed.ring.read(after, answer);
      if (reading.events.length > 0 || reading.lost !== 0) return this.#answer(reading);
      await feed.news.news();
      return this.#answer(feed.ring.read(after, answer));
    } finally {
      feed.calls -= 1;
      this.#expectCall(key, feed);
    }
  }

  /** Answers who waits, and looks on no more. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#parts.speaker.tap = null;
    for (const { news, idle } of this.#feeds.values()) {
      clearTimeout(idle);
      news.close();
    }
    this.#feeds.clear();
  }

  #begin(key: string, filter: Pick<RouteWatch, "service" | "peer">): Feed {
    const { maxFeeds, keep, patienceMs } = this.#options;
    if (this.#feeds.size >= maxFeeds) {
      const text = `${maxFeeds} different things are watched already: end one of these, or watch what another one does`;
      throw new RpcError("busy", text);
    }
    const wants = this.#compile(filter);
    this.#last += 1;
    const ring = new EventRing<TimedEvent>(keep, this.#last);
    const feed: Feed = { wants, ring, news: new Announcer(patienceMs), calls: 0, idle: undefined };
    this.#feeds.set(key, feed);
    this.#parts.speaker.tap = (event, now) => this.#take(event, now);
    return feed;
  }

  /** Ends a feed that nobody asks for. */
  #expectCall(key: string, feed: Feed): void {
    if (feed.calls > 0 || this.#isClosed) return;
    const end = () => {
      this.#feeds.delete(key);
      if (this.#feeds.size === 0) this.#parts.speaker.tap = null;
    };
    feed.idle = setTimeout(end, this.#options.idleMs).unref();
  }

  #take(event: RouteEvent, now: Moment): void {
    for (const { wants, ring, news } of this.#feeds.values()) {
      if (!wants(event)) continue;
      ring.push({ event, now }, weightOf(event));
      this.#last = Math.max(this.#last, ring.last);
      news.announce();
    }
  }

  #answer({ next, lost, events }: Reading<TimedEvent>): RouteEvents {
    const { node } = this.#parts;
    const at = new Date().toISOString();
    const missed = lost === 0 ? [] : [{ at, event: "lost" as const, count: lost }];
    return { node, next, events: [...missed, ...events.map((event) => viewRouteEvent(event, node))] };
  }

  #compile({ service, peer }: Pick<RouteWatch, "service" | "peer">): (event: RouteEvent) => boolean {
    const matchesService = service === undefined ? null : compileGlob(this.#fullName(service));
    const wanted = peer === undefined ? null : this.#fullName(peer);
    const isWanted = (name: string) => wanted === null || name === wanted;
    const matches = (test: NameTest | null, name: string) => test === null || test(name);
    return (event) => {
      if (event.kind === "session_up" || event.kind === "session_down") return isWanted(event.peer);
      if (event.kind === "best") return isWanted(event.cause.node) && matches(matchesService, event.service);
      return isWanted(event.path.source.node) && matches(matchesService, event.path.service);
    };
  }

  #fullName(name: string): string {
    return name.includes(".") || name.includes("*") ? name : `${name}.${this.#parts.domain}`;
  }
}

/** About how many bytes an event keeps in memory. */
function weightOf(event: RouteEvent): number {
  if (event.kind === "session_up" || event.kind === "session_down") return 1_024;
  const sets = event.kind === "route" ? [event.path, event.before] : [event.path];
  return sets.reduce((sum, path) => sum + (path === null ? 0 : 256 + path.received.bytes.length), 256);
}
