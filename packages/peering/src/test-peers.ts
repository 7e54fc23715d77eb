import assert from "node:assert/strict";
import { encodeAttributes, type RouteAttributes } from "./attributes.ts";
import { encodeEndOfRib } from "./end-of-rib.ts";
import { encodeHealth } from "./health.ts";
import { decodeMessage, type Message } from "./message.ts";
import { Speaker, type SpeakerOptions } from "./speaker.ts";
import type { Effects, SpeakerEvent } from "./speaker-event.ts";
import { at, attributesOf, domainOf, nextHopOf, node } from "./test-route.ts";
import { encodeUpdate } from "./update.ts";

/** One speaker and the peers around it, whose part the test plays: what they were told is kept. */
export class TestPeers {
  readonly speaker: Speaker;
  readonly told = new Map<string, Message[]>();
  readonly changed: string[] = [];
  readonly closed: { readonly peer: string; readonly code: string }[] = [];
  instant = 0;
  wakeAt: number | null = null;
  /** Peers that take nothing. */
  readonly slow = new Set<string>();

  constructor(options: Partial<SpeakerOptions> = {}) {
    const self = node("n0");
    this.speaker = new Speaker({ node: self, domain: domainOf(self), nextHop: nextHopOf(self), ...options });
  }

  step(event: SpeakerEvent): Effects {
    const effects = this.speaker.step(event, at(this.instant));
    this.wakeAt = effects.wakeAt;
    this.changed.push(...effects.changed);
    this.closed.push(...effects.close.map(({ peer, code }) => ({ peer, code })));
    for (const { peer, messages } of effects.send) {
      for (const bytes of messages) this.told.get(peer)?.push(decodeMessage(bytes) ?? assert.fail());
      if (!this.slow.has(peer)) this.step({ kind: "taken", peer });
    }
    return effects;
  }

  /** Lets time pass, with a tick whenever one is asked for. */
  pass(ms: number): void {
    const end = this.instant + ms;
    while (this.wakeAt !== null && this.wakeAt <= end) {
      this.instant = Math.max(this.instant, this.wakeAt);
      this.step({ kind: "tick" });
    }
    this.instant = end;
  }

  up(...peers: readonly string[]): void {
    for (const peer of peers) {
      this.told.set(peer, []);
      this.step({ kind: "up", peer, domain: domainOf(peer) });
    }
  }

  /** A peer announces services of an origin; by default its own. */
  announce(
    peer: string,
    services: readonly string[],
    more: Partial<RouteAttributes> & { origin?: string; healthy?: boolean } = {},
  ): void {
    const { origin = peer, healthy = true, ...attributes } = more;
    const path = origin === peer ? [peer] : [peer, origin];
    const route = attributesOf(origin, path, attributes);
    const announced = { origin, attributes: encodeAttributes(route), services, healthy };
    this.message(peer, encodeUpdate({ withdrawn: [], announced }));
  }

  withdraw(peer: string, services: readonly string[], origin = peer): void {
    this.message(peer, encodeUpdate({ withdrawn: [{ origin, services }], announced: null }));
  }

  endOfRib(peer: string, refresh = 0): void {
    this.message(peer, encodeEndOfRib({ refresh }));
  }

  health(peer: string, services: readonly string[], healthy: boolean, origin = peer): void {
    const lists = [{ origin, services }];
    this.message(
      peer,
      encodeHealth(healthy ? { unhealthy: [], healthy: lists } : { unhealthy: lists, healthy: [] }),
    );
  }

  message(peer: string, bytes: Uint8Array): void {
    this.step({ kind: "message", peer, bytes });
  }

  /** The peers through which a service is reached, the best first. */
  through(service: string): readonly string[] {
    return this.speaker.paths(service).map(({ source }) => source.node);
  }

  /** What a peer was told since the last call. */
  heard(peer: string): readonly Message[] {
    return this.told.get(peer)?.splice(0) ?? [];
  }
}

/** Messages in one line each. */
export function show(messages: readonly Message[]): readonly string[] {
  const lists = (all: readonly { origin: string; services: readonly string[] }[]) =>
    all.map(({ origin, services }) => `${services.join(" ")} at ${origin}`).join(", ");
  return messages.flatMap((message) => {
    if (message.kind === "end-of-rib") return [`END_OF_RIB ${message.refresh}`];
    if (message.kind === "refresh") return [`REFRESH ${message.number}`];
    if (message.kind === "health") {
      return [`HEALTH - ${lists(message.unhealthy)} + ${lists(message.healthy)}`];
    }
    const gone = message.withdrawn.length > 0 ? [`withdraw ${lists(message.withdrawn)}`] : [];
    if (message.announced === null) return gone;
    const how = message.announced.healthy ? "announce" : "announce as unhealthy";
    return [...gone, `${how} ${lists([message.announced])}`];
  });
}
