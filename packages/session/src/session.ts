import { createFrameDecoder, WireError } from "@catalyst/wire";
import { SessionChannel } from "./channel.ts";
import type { Clock, Instant } from "./clock.ts";
import type { Contender } from "./collision.ts";
import { type EndReason, SessionError } from "./errors.ts";
import {
  firstState,
  type SessionContext,
  type SessionEffect,
  type SessionEvent,
  type SessionRole,
  type SessionState,
  type SessionTimings,
  step,
  wakesAt,
} from "./machine.ts";
import { transcriptOf } from "./message/accept.ts";
import { decodeMessage, encodeMessage, type Message, maxOpenFrameBytes } from "./message/message.ts";
import { notificationCodes } from "./message/notification.ts";
import type { Open } from "./message/open.ts";
import type { Agreement } from "./negotiation.ts";
import { Outbox } from "./outbox.ts";
import { Rate } from "./rate.ts";
import type { Dialled, Transport } from "./transport.ts";

/** How long a transport may take to send what was written before it is closed for good. */
const lingerMs = 1_000;

/** As many keepalives may come in one hold time; three are due. */
const keepalivesPerHold = 16;

/** What a session asks of the node that it belongs to. */
export type SessionUser = {
  readonly clock: Clock;
  readonly random: () => number;
  readonly timings: SessionTimings;
  /** Begins a connection to the peer. */
  readonly dial: (dialled: Dialled) => () => void;
  /** Our OPEN, with a nonce that was never used. */
  readonly openFor: (purpose: string, transport: Transport) => Open;
  /** Judges the peer's OPEN. Throws {@link SessionError} with the reason of a refusal. */
  readonly judge: (session: Session, own: Open, theirs: Open) => Agreement;
  /** A dialled transport is there: `up`, or what ends it because it leads elsewhere or is no longer needed. */
  readonly onUp: (session: Session, transport: Transport) => SessionEvent;
  readonly onEstablished: (session: Session) => void;
  /** `established` says whether it was. A session that was answered is over for good. */
  readonly onEnded: (session: Session, reason: EndReason, established: boolean) => void;
};

/** What a session is for: of one that was answered, the peer's OPEN says it. */
export type SessionSubject = { readonly node: string; readonly purpose: string };

/** Carries out what the state machine asks for, on one transport after the other. */
export class Session {
  readonly role: SessionRole;
  readonly #user: SessionUser;
  subject: SessionSubject | null;
  state: SessionState;
  transport: Transport | null = null;
  #outbox: Outbox | null = null;
  channels: ReadonlyMap<string, SessionChannel> = new Map();
  /** Of the peer, once its OPEN was agreed with. */
  incarnation: string | null = null;
  lastEnd: { readonly reason: EndReason; readonly at: number } | null = null;
  #own: { readonly open: Open; readonly bytes: Uint8Array } | null = null;
  #transcript: Uint8Array | null = null;
  #keepalives: Rate | null = null;
  #giveUpDial: (() => void) | null = null;
  #giveUpExpiry: (() => void) | null = null;
  #timer: { readonly at: Instant; readonly cancel: () => void } | null = null;
  readonly #events: SessionEvent[] = [];
  #busy = false;

  /** A session that dials `subject`; without one, a session that is dialled, since `begunAt`. */
  constructor(user: SessionUser, subject: SessionSubject | null, begunAt = user.clock.now()) {
    this.#user = user;
    this.role = subject === null ? "listener" : "dialler";
    this.subject = subject;
    this.state = firstState({ ...this.#context(), now: begunAt });
  }

  /** Begins to listen to whoever dialled. */
  answer(transport: Transport): void {
    this.#attach(transport);
    this.#schedule();
  }

  get contender(): Contender {
    return { role: this.role, incarnation: this.incarnation };
  }

  get agreement(): Agreement | null {
    return "agreement" in this.state ? this.state.agreement : null;
  }

  /** Takes an event. One that comes while another is being dealt with waits for its turn. */
  dispatch(event: SessionEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const [state, effects] = step(this.state, next, this.#context());
        this.state = state;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#busy = false;
    }
    this.#schedule();
  }

  /** Ends it on our side; `again` says whether a dialler tries anew. */
  stop(reason: EndReason, again: boolean): void {
    this.dispatch({ kind: "stop", reason, again });
  }

  #context(): SessionContext {
    const { clock, random, timings } = this.#user;
    return { now: clock.now(), random: random(), role: this.role, timings };
  }

  #carryOut(effect: SessionEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dial();
        break;
      case "send_open":
        this.#sendOpen();
        break;
      case "send_accept":
        this.#outbox?.write("accept", { transcript: this.#transcript ?? new Uint8Array(32) });
        break;
      case "send_keepalive":
        this.#sendKeepalive();
        break;
      case "send_notification":
        this.#notify(effect.reason);
        break;
      case "close":
        this.#detach();
        break;
      case "established":
        this.#establish(effect.agreement);
        break;
      case "deliver":
        this.#guard(() => this.#channelOf(effect.message.protocol).deliver(effect.message.payload));
        break;
      case "credit":
        this.#guard(() => this.#channelOf(effect.credit.protocol).credit(effect.credit));
        break;
      case "ended":
        this.#finish(effect.reason, effect.established);
        break;
    }
  }

  #dial(): void {
    try {
      this.#giveUpDial = this.#beginDial();
    } catch (error) {
      this.dispatch({ kind: "lost", code: "dial_failed", text: String(error) });
    }
  }

  #beginDial(): () => void {
    return this.#user.dial({
      up: (transport) => {
        this.#giveUpDial = null;
        this.#attach(transport);
        this.dispatch(this.#user.onUp(this, transport));
      },
      failed: (error) => {
        this.#giveUpDial = null;
        this.dispatch({ kind: "lost", code: "dial_failed", text: error.message });
      },
    });
  }

  #attach(transport: Transport): void {
    const isOurs = () => this.transport === transport;
    const decoder = createFrameDecoder({
      onFrame: (payload) => {
        if (isOurs()) this.#receive(payload);
      },
      maxFrameBytes: () => this.#frameLimit(),
    });
    this.transport = transport;
    this.#outbox = new Outbox(transport, this.#user.clock);
    transport.use({
      onData: (bytes) => {
        if (isOurs()) this.#guard(() => decoder.push(bytes));
      },
      onDrain: () => {
        if (isOurs()) this.#outbox?.drained();
      },
      onEnd: (error) => {
        const text = endOf(error, this.state.kind === "established");
        if (isOurs()) this.dispatch({ kind: "lost", code: "connection_lost", text });
      },
    });
  }

  /** Nobody makes us keep long frames before it is known who it is. */
  #frameLimit(): number {
    return this.state.kind === "established" && this.#own !== null
      ? this.#own.open.maxFrameBytes
      : maxOpenFrameBytes;
  }

  /** Whatever the peer's bytes are refused for ends the session with that reason. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === null) throw error;
      this.dispatch({ kind: "fault", ...refusal });
    }
  }

  #receive(payload: Uint8Array): void {
    this.#guard(() => {
      const message = decodeMessage(payload);
      this.dispatch(this.#eventOf(message, payload));
    });
  }

  #eventOf(message: Message, bytes: Uint8Array): SessionEvent {
    switch (message.kind) {
      case "open":
        return this.#judgeOpen(message, bytes);
      case "accept":
        if (this.#transcript === null || Buffer.compare(message.transcript, this.#transcript) === 0)
          return message;
        throw new SessionError("open_mismatch", "the ACCEPT is of other OPENs than were sent here");
      case "keepalive":
        if ((this.#keepalives?.take(this.#user.clock.now()) ?? 0) === 0) return message;
        throw new SessionError("rate_exceeded", `more than ${keepalivesPerHold} KEEPALIVEs in one hold time`);
      case "message":
        return { kind: "message", message };
      case "credit":
        return { kind: "credit", credit: message };
      case "notification":
        return { kind: "notification", notification: message };
    }
  }

  /** An OPEN is judged where one is due; elsewhere the machine refuses it. */
  #judgeOpen(theirs: Open, bytes: Uint8Array): SessionEvent {
    const due = this.state.kind === (this.role === "dialler" ? "open_sent" : "connect");
    if (!due) throw new SessionError("message_unexpected", `OPEN in the state ${this.state.kind}`);
    this.#own ??= this.#ownOpen(theirs.purpose);
    const agreement = this.#user.judge(this, this.#own.open, theirs);
    this.subject = { node: theirs.node, purpose: theirs.purpose };
    this.incarnation = agreement.peer.incarnation;
    const [dialler, listener] = this.role === "dialler" ? [this.#own.bytes, bytes] : [bytes, this.#own.bytes];
    this.#transcript = transcriptOf(dialler, listener);
    return { kind: "open", agreement };
  }

  #ownOpen(purpose: string): { open: Open; bytes: Uint8Array } {
    if (this.transport === null) throw new Error("unreachable: an OPEN without a transport");
    const open = this.#user.openFor(purpose, this.transport);
    return { open, bytes: encodeMessage("open", open) };
  }

  #sendOpen(): void {
    this.#own ??= this.#ownOpen(this.subject?.purpose ?? "");
    this.#outbox?.writeFrame(this.#own.bytes);
  }

  #establish(agreement: Agreement): void {
    const onWork = () => this.#outbox?.flush();
    const onClose = (reason: EndReason) => this.stop(reason, true);
    const intervalMs = agreement.holdMs / keepalivesPerHold;
    this.#keepalives = new Rate({ burst: keepalivesPerHold, intervalMs });
    this.channels = new Map(
      agreement.protocols.map((protocol) => [
        protocol.name,
        new SessionChannel(protocol, agreement, { onWork, onClose }),
      ]),
    );
    if (this.#outbox !== null) this.#outbox.channels = [...this.channels.values()];
    this.#watchExpiry();
    this.#user.onEstablished(this);
  }

  /** A session does not outlive the peer's certificate. The clock may wake us early. */
  #watchExpiry(): void {
    const notAfter = this.transport?.certificate?.notAfter;
    if (notAfter === undefined) return;
    const { clock } = this.#user;
    this.#giveUpExpiry = clock.after(notAfter - clock.wall(), () => {
      if (clock.wall() < notAfter) this.#watchExpiry();
      else {
        const text = "the peer's certificate has ended";
        this.stop({ code: "certificate_expired", text, by: "us" }, true);
      }
    });
  }

  /** What already waits to be sent is sign enough of life; if it waits for too long, the peer does not read. */
  #sendKeepalive(): void {
    const since = this.#outbox?.blockedSince ?? null;
    const holdMs = this.agreement?.holdMs ?? 0;
    if (since === null) this.#outbox?.write("keepalive", {});
    else if (this.#user.clock.now() - since >= holdMs) {
      const text = `what waited to be sent was not all taken within ${holdMs} ms`;
      this.dispatch({ kind: "fault", code: "not_reading", text });
    }
  }

  #notify({ code, text, protocol, protocolCode, retryAfterMs }: EndReason): void {
    this.#outbox?.write("notification", {
      code: code in notificationCodes ? (code as keyof typeof notificationCodes) : "internal_error",
      text,
      ...(protocol === undefined ? {} : { protocol }),
      ...(protocolCode === undefined ? {} : { protocolCode }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  #detach(): void {
    const { transport } = this;
    this.#giveUpDial?.();
    this.#giveUpDial = null;
    this.#giveUpExpiry?.();
    this.#giveUpExpiry = null;
    this.transport = null;
    this.#outbox = null;
    this.#own = null;
    this.#transcript = null;
    this.#keepalives = null;
    this.incarnation = null;
    if (transport === null) return;
    transport.close();
    this.#user.clock.after(lingerMs, () => transport.destroy());
  }

  #finish(reason: EndReason, established: boolean): void {
    const { channels } = this;
    this.channels = new Map();
    this.lastEnd = { reason, at: this.#user.clock.wall() };
    for (const channel of channels.values()) channel.finish(reason);
    this.#user.onEnded(this, reason, established);
  }

  #channelOf(protocol: string): SessionChannel {
    const channel = this.channels.get(protocol);
    if (channel !== undefined) return channel;
    throw new SessionError("message_unexpected", `the protocol ${protocol} was not agreed`);
  }

  /** Sees to it that the machine is told when its time has come. A timer that is early stays: it looks again. */
  #schedule(): void {
    const at = wakesAt(this.state);
    if (at !== null && this.#timer !== null && this.#timer.at <= at) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (at === null) return;
    const cancel = this.#user.clock.after(Math.max(0, at - this.#user.clock.now()), () => {
      this.#timer = null;
      this.dispatch({ kind: "timer" });
    });
    this.#timer = { at, cancel };
  }
}

/** What the peer is told of an error; null for one that is not the peer's. */
function refusalOf(error: unknown): Omit<Extract<SessionEvent, { kind: "fault" }>, "kind"> | null {
  if (error instanceof WireError && error.code.startsWith("frame_")) {
    return { code: "frame_invalid", text: error.message };
  }
  if (!(error instanceof SessionError)) return null;
  const { code, message: text, retryAfterMs } = error;
  return { code, text, ...(retryAfterMs === 0 ? {} : { retryAfterMs }) };
}

/** Why a connection ended. Who is not believed, or speaks in plain where TLS is asked for, is often told nothing. */
function endOf(error: Error | null | undefined, isEstablished: boolean): string {
  const text = error?.message ?? "the peer closed the connection";
  if (isEstablished) return text;
  return `${text} before there was a session: it may not admit this node (any more), or one of the two speaks in plain`;
}
