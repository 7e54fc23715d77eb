import { setTimeout as sleep } from "node:timers/promises";
import { HonestPeer } from "../../test/enrolled-peer.ts";
import type { Order } from "./third.ts";

let peer: HonestPeer | null = null;

process.on("message", (order: Order) => {
  void follow(order);
});

async function follow(order: Order): Promise<void> {
  if (order.kind === "dial") peer = new HonestPeer(order.self, { node: order.node, address: order.address });
  else {
    for (let at = 0; at < order.services.length; at += order.batch) {
      peer?.originate(order.services.slice(at, at + order.batch));
      await sleep(order.pauseMs);
    }
  }
  process.send?.("done");
}
