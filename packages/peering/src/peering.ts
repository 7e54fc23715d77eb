import { setImmediate as turn } from "node:timers/promises";
import { closeCodes } from "./errors.ts";
import type { SessionEnd } from "./route-event.ts";
import { Speaker, type SpeakerOptions } from "./speaker.ts";
import type { Effects, SpeakerEvent } from "./speaker-event.ts";

/** What a session gives: messages in order, each way, with one peer that it has authenticated. */
export type Channel = AsyncIterable<Uint8Array> & {
  readonly peer: { readonly node: string; readonly domain: string };
  /** Resolves when the peer's credit has room for more; rejects when the session has ended. */
  send(message: Uint8Array): Promise<void>;
  close(code: number, text: string): void;
  /** Resolves when the session has ended, with why. */
  readonly ended: Promise<SessionEnd>;
};

/** Where time comes from: monotonic and wall time, both in ms, and a timer. */
export type Clock = {
  now(): number;
  wall(): number;
  after(delayMs: number, call: () => void): () => void;
};

export type PeeringParts = {
  readonly clock: Clock;
  /** Is told which services the data plane has to look up again, see {@link Speaker.routes}. */
  readonly onChange: (services: readonly string[]) => void;
  /** Is told that a peer has told all that it has. */
  readonly onComplete?: (peer: string) => void;
};

/** What happens on this node's own side. */
export type OwnEvent = Exclude<SpeakerEvent, { kind: "up" | "message" | "taken" | "down" | "tick" }>;

/** A speaker that is connected with sessions and the clock. */
export type Peering = AsyncDisposable & {
  readonly speaker: Speaker;
  /** Throws {@link PeeringError} `route_invalid`. */
  apply(event: OwnEvent): void;
  /** Speaks over a channel until its session has ended. A newer channel of the same peer takes its place. */
  attach(channel: Channel): Promise<void>;
  /** From now on routes stay although their sessions end: this node goes down, and its last requests use them. */
  keepRoutes(): void;
};

/**
 * What has come of one peer is read for so long at a time, waiting for it aside; then others have their turn, and requests of
 * this process.
 */
const longestTurnMs = 2;

/** The ends of a session after which the peer is expected back, and its routes stay meanwhile. */
const comesBack = new Set(["connection_lost", "hold_expired", "not_reading", "restarting", "collision"]);

/** Runs a speaker: events in, effects out. */
export function createPeering(
  { clock, onChange, onComplete }: PeeringParts,
  options: SpeakerOptions,
): Peering {
  const speaker = new Speaker(options);
  const channels = new Map<string, Channel>();
  let keepsRoutes = false;
  let stopTimer = () => {};
  const run = (event: SpeakerEvent) => {
    const { send, close, changed, complete, wakeAt }: Effects = speaker.step(event, {
      instant: clock.now(),
      wall: clock.wall() / 1_000,
    });
    stopTimer();
    if (wakeAt !== null)
      stopTimer = clock.after(Math.max(0, wakeAt - clock.now()), () => run({ kind: "tick" }));
    for (const { peer, messages } of send) void deliver(peer, messages);
    for (const { peer, code, text } of close) {
      const channel = channels.get(peer);
      channels.delete(peer);
      channel?.close(closeCodes[code], text);
    }
    if (changed.length > 0) onChange(changed);
    for (const peer of complete) onComplete?.(peer);
  };
  const deliver = async (peer: string, messages: readonly Uint8Array[]) => {
    const channel = channels.get(peer);
    if (channel === undefined) return;
    try {
      for (const message of messages) await channel.send(message);
    } catch {
      return; // The session ended, and `ended` says why.
    }
    if (channels.get(peer) === channel) run({ kind: "taken", peer });
  };
  return {
    speaker,
    apply: run,
    attach: async (channel) => {
      const { node: peer, domain } = channel.peer;
      channels.set(peer, channel);
      run({ kind: "up", peer, domain });
      let readMs = 0;
      for await (const bytes of channel) {
        const began = clock.now();
        if (channels.get(peer) === channel) run({ kind: "message", peer, bytes });
        readMs += clock.now() - began;
        if (readMs < longestTurnMs) continue;
        await turn();
        readMs = 0;
      }
      const { code, text, by } = await channel.ended;
      if (channels.get(peer) !== channel) return;
      channels.delete(peer);
      run({ kind: "down", peer, retain: keepsRoutes || comesBack.has(code), end: { code, text, by } });
    },
    keepRoutes: () => {
      keepsRoutes = true;
    },
    [Symbol.asyncDispose]: async () => stopTimer(),
  };
}
