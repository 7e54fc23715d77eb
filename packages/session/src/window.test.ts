import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readCases } from "../../wire/test/vectors.ts";
import { SessionError } from "./errors.ts";
import type { Window } from "./negotiation.ts";
import { ReceiveWindow, SendWindow } from "./window.ts";

type Step = {
  readonly send?: number;
  readonly admitted?: boolean;
  readonly credit?: readonly [number, number] | null;
  readonly receive?: number;
  readonly take?: number;
};
type Case = {
  readonly window: Window;
  readonly side: "sender" | "receiver";
  readonly steps: readonly Step[];
};

function walkSender(window: SendWindow, { send, admitted, credit }: Step): void {
  if (send !== undefined) {
    assert.equal(window.admits(send), admitted);
    if (admitted) window.send(send);
  } else {
    const [messages, bytes] = credit ?? [0, 0];
    window.credit({ messages, bytes });
  }
}

function walkReceiver(window: ReceiveWindow, { receive, take, credit }: Step): void {
  if (receive !== undefined) {
    window.receive(receive);
    return;
  }
  window.take(take ?? 0);
  const told = window.credit();
  assert.deepEqual(told === null ? null : [told.messages, told.bytes], credit);
}

function walk({ window, side, steps }: Case): void {
  const [sender, receiver] = [new SendWindow(window), new ReceiveWindow(window)];
  for (const step of steps) {
    if (side === "sender") walkSender(sender, step);
    else walkReceiver(receiver, step);
  }
}

describe("the vectors of spec/session.md §7", () => {
  for (const one of readCases<Case>("session/credit/good.json")) {
    test(`the ${one.side}: ${one.name}`, () => walk(one));
  }
  for (const one of readCases<Case & { code: string }>("session/credit/bad.json")) {
    test(`the ${one.side}: ${one.name}: refused as ${one.code}`, () => {
      walk({ ...one, steps: one.steps.slice(0, -1) });
      assert.throws(
        () => walk(one),
        (error) => error instanceof SessionError && error.code === one.code,
      );
    });
  }
});

test("a sender that waits is always told, and a receiver never holds more than its window", () => {
  const largest = 65_536;
  const windows = fc.record({
    messages: fc.integer({ min: 4, max: 40 }),
    bytes: fc.integer({ min: 2 * largest, max: 4 * largest }),
  });
  const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: largest })), {
    minLength: 1,
    maxLength: 100,
  });
  fc.assert(
    fc.property(windows, lengths, fc.array(fc.boolean(), { maxLength: 300 }), (window, toSend, takes) => {
      const [sender, receiver] = [new SendWindow(window), new ReceiveWindow(window)];
      const held: number[] = [];
      const waiting = [...toSend];
      const schedule = [...takes];
      while (waiting.length > 0 || held.length > 0) {
        const [next] = waiting;
        const sends = next !== undefined && sender.admits(next);
        assert.ok(sends || held.length > 0, "neither end can do anything");
        if (sends && schedule.shift() !== true) {
          sender.send(next);
          receiver.receive(next);
          held.push(next);
          waiting.shift();
          assert.ok(held.length <= window.messages);
          assert.ok(held.reduce((sum, each) => sum + each, 0) <= window.bytes);
        } else if (held.length > 0) {
          receiver.take(held.shift() ?? 0);
          const told = receiver.credit();
          if (told !== null) sender.credit(told);
        }
      }
    }),
  );
});
