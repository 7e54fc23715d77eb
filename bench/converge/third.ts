import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Enrolled } from "../../test/enrolled-peer.ts";

/** How the third peer is told what to do. */
export type Order =
  | { readonly kind: "dial"; readonly self: Enrolled; readonly node: string; readonly address: string }
  | {
      readonly kind: "tell";
      readonly services: readonly string[];
      readonly batch: number;
      readonly pauseMs: number;
    };

/** A peer of the node that is measured, in a process of its own: what it does takes nothing from who measures. */
export type Third = AsyncDisposable & {
  /** Originates the services, so many at a time with a pause after each batch; resolves when all were told. */
  readonly tell: (services: readonly string[], batch: number, pauseMs: number) => Promise<void>;
};

export async function startThird(self: Enrolled, node: string, address: string): Promise<Third> {
  const child = fork(join(import.meta.dirname, "process.ts"), { serialization: "advanced" });
  const exited = once(child, "exit");
  const order = async (what: Order) => {
    child.send(what);
    await Promise.race([
      once(child, "message"),
      exited.then(() => Promise.reject(new Error("the third peer ended"))),
    ]);
  };
  await order({ kind: "dial", self, node, address });
  return {
    tell: (services, batch, pauseMs) => order({ kind: "tell", services, batch, pauseMs }),
    [Symbol.asyncDispose]: () => ended(child, exited),
  };
}

async function ended(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill("SIGKILL");
  await exited;
}
