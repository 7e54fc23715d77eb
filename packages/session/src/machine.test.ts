import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  firstState,
  type SessionContext,
  type SessionEvent,
  type SessionRole,
  type SessionState,
  step,
  wakesAt,
} from "./machine.ts";
import type { Agreement } from "./negotiation.ts";

const timings = { handshakeMs: 10_000, minBackoffMs: 250, maxBackoffMs: 30_000, stableMs: 60_000 };
const agreement: Agreement = {
  version: 1,
  purpose: "control",
  holdMs: 15_000,
  peer: {
    node: "b.acme.catalyst.internal",
    domain: "acme.catalyst.internal",
    keyThumbprint: "",
    incarnation: "",
    capabilities: [],
    authenticated: true,
    clockSkewMs: 0,
  },
  maxFrameBytes: 65_536,
  protocols: [],
  unavailable: [],
};

const now = 100_000;

function contextOf(role: SessionRole, { at = now, random = 0.5 } = {}): SessionContext {
  return { now: at, random, role, timings };
}

/** Each state, with all its times ahead, or the one named now. */
const states: Readonly<Record<string, (due: string | null) => SessionState>> = {
  Idle: (due) => ({ kind: "idle", attempts: 1, retryAt: due === "retry" ? now : now + 1 }),
  Connect: (due) => ({ kind: "connect", attempts: 1, until: due === "handshake" ? now : now + 1 }),
  OpenSent: (due) => ({ kind: "open_sent", attempts: 1, until: due === "handshake" ? now : now + 1 }),
  OpenConfirm: (due) => ({
    kind: "open_confirm",
    attempts: 1,
    until: due === "handshake" ? now : now + 1,
    agreement,
  }),
  Established: (due) => ({
    kind: "established",
    attempts: 1,
    since: 0,
    agreement,
    holdUntil: due === "hold" ? now : now + 1,
    keepaliveAt: due === "keepalive" ? now : now + 1,
  }),
};

const events: Readonly<Record<string, SessionEvent>> = {
  start: { kind: "start" },
  up: { kind: "up" },
  open: { kind: "open", agreement },
  accept: { kind: "accept" },
  keepalive: { kind: "keepalive" },
  message: { kind: "message", message: { protocol: "cp", payload: Uint8Array.of(1) } },
  credit: { kind: "credit", credit: { protocol: "cp", messages: 1, bytes: 1 } },
  notification: { kind: "notification", notification: { code: "stopped", text: "" } },
  fault: { kind: "fault", code: "frame_invalid", text: "" },
  lost: { kind: "lost", code: "connection_lost", text: "" },
  stop: { kind: "stop", reason: { code: "stopped", text: "", by: "us" }, again: true },
  probe: { kind: "probe" },
  "timer: retry": { kind: "timer" },
  "timer: handshake": { kind: "timer" },
  "timer: hold": { kind: "timer" },
  "timer: keepalive": { kind: "timer" },
};

const reachable: Readonly<Record<SessionRole, readonly string[]>> = {
  dialler: ["Idle", "Connect", "OpenSent", "OpenConfirm", "Established"],
  listener: ["Idle", "Connect", "OpenConfirm", "Established"],
};

type Row = { readonly next: string; readonly effects: string };

/** The table of spec/session.md §3, by state, event and role. */
function tableOfSpec(): ReadonlyMap<string, Row> {
  const text = readFileSync(join(import.meta.dirname, "../../../spec/session.md"), "utf8");
  const rows = new Map<string, Row>();
  for (const [, from = "", when = "", who = "", next = "", effects = ""] of text.matchAll(
    /^\| ([A-Z][A-Za-z, ]+) \| (`[^|]+) \| (dialler|listener|both) \| (\w+) \| ([^|]+) \|$/gm,
  )) {
    for (const state of from.split(", ")) {
      for (const [, event = ""] of when.matchAll(/`([^`]+)`/g)) {
        for (const role of who === "both" ? ["dialler", "listener"] : [who]) {
          const key = `${state} ${event} ${role}`;
          assert.ok(!rows.has(key), `${key} is in the table twice`);
          assert.ok(state in states && next in states && event in events, key);
          rows.set(key, { next, effects });
        }
      }
    }
  }
  return rows;
}

const effectNames: Readonly<Record<string, string>> = {
  send_open: "send OPEN",
  send_accept: "send ACCEPT",
  send_keepalive: "send KEEPALIVE",
  send_notification: "send NOTIFICATION",
};

describe("the table of spec/session.md §3 is what the machine does", () => {
  const table = tableOfSpec();
  for (const role of ["dialler", "listener"] as const) {
    for (const state of reachable[role]) {
      for (const [name, event] of Object.entries(events)) {
        const due = name.startsWith("timer: ") ? name.slice("timer: ".length) : null;
        const row = table.get(`${state} ${name} ${role}`);
        test(`${role}: ${state}, ${name}`, () => {
          // A listener's Idle has no next attempt.
          const idle: SessionState = { kind: "idle", attempts: 1, retryAt: null };
          const before = role === "listener" && state === "Idle" ? idle : states[state]?.(due);
          assert.ok(before !== undefined);
          const [after, effects] = step(before, event, contextOf(role));
          if (row === undefined) {
            assert.deepEqual([after, effects], [before, []]);
            return;
          }
          assert.equal(after.kind, states[row.next]?.(null).kind);
          const said = effects.map(({ kind }) => effectNames[kind] ?? kind).join(", ");
          assert.equal(said === "" ? "nothing" : said, row.effects);
        });
      }
    }
  }
  test("every row is of a state that its role reaches", () => {
    assert.ok(table.size > 60);
    for (const key of table.keys()) {
      const [state = "", role] = [
        key.split(" ")[0],
        key.endsWith("dialler") ? "dialler" : "listener",
      ] as const;
      if (state !== "OpenSent") assert.ok(reachable[role].includes(state), key);
    }
  });
});

test("the reason that the peer is told, and that is told here, is the same one", () => {
  for (const [name, code] of [
    ["timer: hold", "hold_expired"],
    ["fault", "frame_invalid"],
    ["open", "message_unexpected"],
    ["stop", "stopped"],
  ] as const) {
    const established = states["Established"]?.("hold");
    const event = events[name];
    assert.ok(established !== undefined && event !== undefined);
    const [, effects] = step(established, event, contextOf("dialler"));
    const reasons = effects.flatMap((effect) => ("reason" in effect ? [effect.reason] : []));
    assert.deepEqual(
      reasons.map((reason) => reason.code),
      [code, code],
    );
  }
});

test("whatever comes, when established, is a sign of life, and sends no keepalive sooner or later", () => {
  for (const name of ["keepalive", "message", "credit"]) {
    const before = states["Established"]?.(null);
    const event = events[name];
    assert.ok(before?.kind === "established" && event !== undefined);
    const [after] = step(before, event, contextOf("listener"));
    assert.ok(after.kind === "established");
    assert.equal(after.holdUntil, now + agreement.holdMs);
    assert.equal(after.keepaliveAt, before.keepaliveAt);
  }
});

test("a peer is not probed twice within a twelfth of the hold time", () => {
  const before = states["Established"]?.(null);
  assert.ok(before?.kind === "established");
  const probed = (at: number) =>
    step({ ...before, keepaliveAt: now + 5_000 }, { kind: "probe" }, contextOf("listener", { at }))[1].length;
  assert.equal(probed(now + 1_249), 0);
  assert.equal(probed(now + 1_250), 1);
});

test("the wait before attempt k is evenly spread up to min(maxBackoff, minBackoff × 2^k)", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, random) => {
      const context = contextOf("dialler", { random });
      const [idle] = step(
        { kind: "connect", attempts, until: now + 1 },
        { kind: "lost", code: "dial_failed", text: "" },
        context,
      );
      assert.ok(idle.kind === "idle" && idle.retryAt !== null);
      assert.equal(idle.attempts, attempts + 1);
      assert.equal(idle.retryAt, now + random * Math.min(30_000, 250 * 2 ** attempts));
      assert.equal(wakesAt(idle), idle.retryAt);
    }),
  );
});

test("what time alone does not mend waits for half of maxBackoff at least", () => {
  for (const code of ["not_admitted", "version_unsupported", "identity_mismatch"] as const) {
    const state: SessionState = { kind: "open_sent", attempts: 0, until: now + 1 };
    const [idle] = step(
      state,
      { kind: "notification", notification: { code, text: "" } },
      contextOf("dialler", { random: 0 }),
    );
    assert.ok(idle.kind === "idle");
    assert.equal(idle.retryAt, now + 15_000);
  }
});

test("after too_soon the wait begins when the peer said, or after maxBackoff at the latest", () => {
  for (const [retryAfterMs, told] of [
    [4_000, 4_000],
    [90_000, 30_000],
  ] as const) {
    const state: SessionState = { kind: "open_sent", attempts: 2, until: now + 1 };
    const notification = { code: "too_soon", text: "", retryAfterMs } as const;
    const context = contextOf("dialler", { random: 0.5 });
    const [idle] = step(state, { kind: "notification", notification }, context);
    assert.ok(idle.kind === "idle");
    assert.equal(idle.retryAt, now + told + 500);
  }
});

test("a refusal that ends an established session is tried again soon, once", () => {
  const refused = { kind: "notification", notification: { code: "not_admitted", text: "" } } as const;
  const context = contextOf("dialler", { random: 0.5 });
  const established = states["Established"]?.("hold");
  assert.ok(established !== undefined);
  const [first] = step(established, refused, context);
  assert.ok(first.kind === "idle" && first.retryAt !== null);
  assert.ok(first.retryAt <= now + 1_000);
  const { attempts } = first;
  const [second] = step({ kind: "open_sent", attempts, until: now + 1 }, refused, context);
  assert.ok(second.kind === "idle" && second.retryAt !== null && second.retryAt >= now + 15_000);
});

test("a session that was established for long enough leaves no history of failures, a shorter one does", () => {
  for (const [since, attempts] of [
    [now - 60_000, 1],
    [now - 59_999, 8],
  ] as const) {
    const state: SessionState = {
      kind: "established",
      attempts: 7,
      since,
      agreement,
      holdUntil: now + 1,
      keepaliveAt: now + 1,
    };
    const [idle] = step(state, { kind: "lost", code: "connection_lost", text: "" }, contextOf("dialler"));
    assert.equal(idle.attempts, attempts);
  }
});

test("a dialler that is told not to try anew stays in Idle until somebody wants the session", () => {
  const reason = { code: "stopped", text: "", by: "us" } as const;
  const waiting: SessionState = { kind: "idle", attempts: 3, retryAt: now + 1 };
  const [idle] = step(waiting, { kind: "stop", reason, again: false }, contextOf("dialler"));
  assert.equal(wakesAt(idle), null);
  assert.deepEqual(step(idle, { kind: "timer" }, contextOf("dialler")), [idle, []]);
  assert.equal(step(idle, { kind: "start" }, contextOf("dialler"))[0].kind, "connect");
});

test("a listener that has ended stays so, whatever comes", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...Object.values(events)), { maxLength: 20 }), (sequence) => {
      const context = contextOf("listener");
      let state: SessionState = firstState(context);
      let ended = 0;
      for (const event of sequence) {
        const [next, effects] = step(state, event, { ...context, now: context.now + 1 });
        if (state.kind === "idle") assert.deepEqual([next, effects], [state, []]);
        ended += effects.filter(({ kind }) => kind === "ended").length;
        state = next;
      }
      assert.equal(ended, state.kind === "idle" ? 1 : 0);
    }),
  );
});
