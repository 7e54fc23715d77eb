import { setTimeout as sleep } from "node:timers/promises";
import { type CborInput, createFrameDecoder, encodeCbor, encodeFrame } from "@catalyst/wire";
import { transcriptOf } from "../src/message/accept.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageKind,
  type MessageOf,
} from "../src/message/message.ts";
import type { Open } from "../src/message/open.ts";
import type { Transport } from "../src/transport.ts";

/** A stream that can stop to read. */
type Pausable = Transport & { pause?: () => void; resume?: () => void };

/** The other end of a connection that says what a test wants it to say, right or wrong. */
export class ScriptedPeer {
  readonly transport: Pausable;
  readonly heard: Message[] = [];
  readonly payloads: Uint8Array[] = [];
  ended = false;
  /** How many messages it reads before it stops to. */
  readUntil = Number.POSITIVE_INFINITY;

  constructor(transport: Pausable) {
    this.transport = transport;
    const decoder = createFrameDecoder({
      onFrame: (payload) => {
        this.payloads.push(payload.slice());
        this.heard.push(decodeMessage(payload.slice()));
        if (this.heard.length >= this.readUntil) this.transport.pause?.();
      },
      maxFrameBytes: 2 ** 25,
    });
    transport.use({
      onData: (bytes) => decoder.push(bytes),
      onDrain: () => undefined,
      onEnd: () => {
        this.ended = true;
      },
    });
  }

  bytes(bytes: Uint8Array): this {
    this.transport.write(bytes);
    return this;
  }

  frame(payload: Uint8Array): this {
    return this.bytes(encodeFrame(payload, 2 ** 25));
  }

  /** A message of these members, right or wrong. */
  members(members: readonly (readonly [number | string, CborInput])[]): this {
    return this.frame(encodeCbor(new Map(members)));
  }

  say<Kind extends MessageKind>(kind: Kind, message: MessageOf[Kind]): this {
    return this.frame(encodeMessage(kind, message));
  }

  /** Answers the listener's OPEN to ours with the right ACCEPT. */
  accept(own: Open): this {
    const theirs = this.payloads[this.heard.findIndex(({ kind }) => kind === "open")] ?? new Uint8Array();
    return this.say("accept", { transcript: transcriptOf(encodeMessage("open", own), theirs) });
  }

  /** Waits, in real time, for what it hears; in vain when the connection ends. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.ended) await sleep(1);
    if (!holds()) throw new Error("the connection ended");
  }

  /** Why the other end ended it. */
  get notification(): (Message & { kind: "notification" }) | null {
    return this.heard.find((message) => message.kind === "notification") ?? null;
  }
}

/** An OPEN of a node, as its certificate has it. */
export function openOf(
  node: string,
  domain: string,
  keyThumbprint: Uint8Array,
  changed: Partial<Open> = {},
): Open {
  return {
    versions: [1],
    node,
    domain,
    keyThumbprint,
    incarnation: new Uint8Array(16).fill(9),
    nonce: new Uint8Array(32).fill(9),
    purpose: "control",
    holdMs: 15_000,
    maxFrameBytes: 65_536,
    protocols: [{ name: "cp", versions: [1], windowMessages: 16, windowBytes: 131_072 }],
    capabilities: [],
    timeMs: 1_800_000_000_000,
    ...changed,
  };
}
