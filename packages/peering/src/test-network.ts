import { Speaker, type SpeakerOptions } from "./speaker.ts";
import type { Effects, Moment, SpeakerEvent } from "./speaker-event.ts";
import { acme, at, nextHopOf } from "./test-route.ts";

/** What is on its way from one node to another: messages, and the word that they were taken. */
type Wire = { readonly from: string; readonly to: string; readonly messages: (Uint8Array | "taken")[] };

/** Speakers that are joined by sessions in one thread: who is served next is decided by the numbers given. */
export class TestNetwork {
  readonly speakers = new Map<string, Speaker>();
  readonly closed: { readonly by: string; readonly peer: string; readonly code: string }[] = [];
  readonly changed: { readonly node: string; readonly service: string }[] = [];
  delivered = 0;
  instant = 0;
  readonly #wires = new Map<string, Wire>();
  readonly #wakeAt = new Map<string, number>();
  /** A number from 0 up to and without 1. */
  readonly #random: () => number;

  constructor(random: () => number = () => 0) {
    this.#random = random;
  }

  get now(): Moment {
    return at(this.instant);
  }

  /** Adds a node, or starts it anew with nothing in its memory. */
  start(node: string, options: Partial<SpeakerOptions> = {}): Speaker {
    const speaker = new Speaker({ node, domain: acme, nextHop: nextHopOf(node), ...options });
    for (const other of this.peersOf(node)) this.disconnect(node, other);
    this.speakers.set(node, speaker);
    return speaker;
  }

  peersOf(node: string): readonly string[] {
    return [...this.#wires.values()].filter(({ from }) => from === node).map(({ to }) => to);
  }

  isConnected(a: string, b: string): boolean {
    return this.#wires.has(`${a} ${b}`);
  }

  connect(a: string, b: string): void {
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      this.#wires.set(`${from} ${to}`, { from, to, messages: [] });
    }
    for (const [self, peer] of [[a, b] as const, [b, a] as const]) {
      const domain = this.speakers.get(peer)?.self.domain ?? "";
      this.step(self, { kind: "up", peer, domain });
    }
  }

  disconnect(a: string, b: string, retain = true): void {
    this.#wires.delete(`${a} ${b}`);
    this.#wires.delete(`${b} ${a}`);
    this.step(a, { kind: "down", peer: b, retain });
    this.step(b, { kind: "down", peer: a, retain });
  }

  step(node: string, event: SpeakerEvent): Effects {
    const speaker = this.speakers.get(node);
    if (speaker === undefined) throw new Error(`there is no ${node}`);
    const effects = speaker.step(event, this.now);
    for (const { peer, messages } of effects.send) {
      this.#wires.get(`${node} ${peer}`)?.messages.push(...messages, "taken");
    }
    for (const { peer, code } of effects.close) {
      this.closed.push({ by: node, peer, code });
      this.disconnect(node, peer, false);
    }
    for (const service of effects.changed) this.changed.push({ node, service });
    if (effects.wakeAt === null) this.#wakeAt.delete(node);
    else this.#wakeAt.set(node, effects.wakeAt);
    return effects;
  }

  /** Delivers one message, of a wire by chance; false when there is none. */
  deliver(): boolean {
    const wires = [...this.#wires.values()].filter(({ messages }) => messages.length > 0);
    const wire = wires[Math.floor(this.#random() * wires.length)];
    const message = wire?.messages.shift();
    if (wire === undefined || message === undefined) return false;
    this.delivered += 1;
    if (message === "taken") this.step(wire.from, { kind: "taken", peer: wire.to });
    else this.step(wire.to, { kind: "message", peer: wire.from, bytes: message });
    return true;
  }

  /** Lets time pass, and everything that is due in it happen. */
  run(ms: number): void {
    const end = this.instant + ms;
    for (let steps = 0; steps < 1_000_000; steps++) {
      if (this.deliver()) continue;
      const due = [...this.#wakeAt].sort(([, a], [, b]) => a - b)[0];
      if (due === undefined || due[1] > end) {
        this.instant = end;
        return;
      }
      this.instant = Math.max(this.instant, due[1]);
      this.step(due[0], { kind: "tick" });
    }
    throw new Error("the network does not come to rest");
  }
}
