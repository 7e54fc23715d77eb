import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualFederation, type VirtualNode } from "../test/virtual-node.ts";

// Three nodes that all dial each other, whatever happens to them and between them. After quiet each pair has one session.

const labels = ["a", "b", "c"] as const;
type Label = (typeof labels)[number];

const label = fc.constantFrom(...labels);
const happening = fc.oneof(
  fc.record({ kind: fc.constant("partition" as const), one: label, two: label }),
  fc.record({ kind: fc.constant("heal" as const), one: label, two: label }),
  fc.record({ kind: fc.constant("vanish" as const), one: label, two: label }),
  fc.record({ kind: fc.constant("close" as const), one: label, two: label }),
);
const course = fc.array(fc.tuple(happening, fc.nat(40_000)), { maxLength: 25 });

class Chaos {
  readonly world: VirtualFederation;
  readonly running = new Map<Label, VirtualNode>();

  constructor(seed: number) {
    this.world = new VirtualFederation({ seed, latencyMs: 5, jitterMs: 40, loss: 0.05 });
  }

  async start(which: Label): Promise<void> {
    const node = await this.world.node(which);
    this.running.set(which, node);
    node.dial(...labels.filter((other) => other !== which));
  }

  async happen({ kind, one, two }: { kind: string; one: Label; two: Label }): Promise<void> {
    const { network } = this.world;
    if (kind === "vanish") {
      // The process is gone with all that it had, and starts anew.
      await this.running.get(one)?.sessions.close();
      network.vanish(one);
      await this.start(one);
    } else if (one === two) return;
    else if (kind === "partition") network.partition(one, two);
    else if (kind === "heal") network.heal(one, two);
    else this.running.get(one)?.channels.at(-1)?.close(1, "for the test");
  }
}

test("after any course of partitions, vanishing nodes and ends, each pair has one session, the same at both ends", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1e6), course, async (seed, events) => {
      const chaos = new Chaos(seed);
      const { world } = chaos;
      for (const each of labels) await chaos.start(each);
      for (const [event, afterMs] of events) {
        await chaos.happen(event);
        await world.time.advance(afterMs);
      }
      for (const one of labels) for (const two of labels) world.network.heal(one, two);
      await world.time.advance(120_000);
      for (const one of labels) {
        for (const two of labels.filter((other) => other > one)) {
          const [here, there] = [
            chaos.running.get(one)?.established(two),
            chaos.running.get(two)?.established(one),
          ];
          assert.deepEqual([here?.length, there?.length], [1, 1], `${one} and ${two}`);
          assert.notEqual(here?.[0]?.role, there?.[0]?.role);
        }
      }
      const live = [...world.network.streams].filter(({ state }) => state === "open");
      assert.equal(live.length, 6);
      for (const node of chaos.running.values()) assert.equal(node.sessions.snapshot().halfOpen, 0);
    }),
    { numRuns: 60 },
  );
});
