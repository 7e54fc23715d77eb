import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import { authContract, orchestratorContract } from "@catalyst/rpc";
import { enrol } from "../test/enrolled-peer.ts";
import { untilServed } from "./converge/served.ts";
import { startThird, type Third } from "./converge/third.ts";
import { openWire } from "./converge/wire.ts";
import { type Bench, ours, percentile, type Row, toRow } from "./report.ts";
import { startBackends } from "./xds/backends.ts";

const rounds = 5;
const perRound = 40;
const pauseMs = 25;
/** Routes that another peer tells meanwhile, so many a second. */
const others = 10_000;
const otherBatch = 20;

/**
 * Two complete nodes, each with its Envoy, authenticated: how long from the first byte of an UPDATE that leaves the one to
 * the first request for its service that the other's Envoy serves; quiet, and while a third peer tells 10,000 other routes.
 */
export const bench: Bench = {
  name: "converge",
  targets: [
    { case: "update_to_served", metric: "p50", atMost: 5 },
    { case: "update_to_served", metric: "p99", atMost: 25 },
    { case: "update_to_served_busy", metric: "p50", atMost: 5 },
    { case: "update_to_served_busy", metric: "p99", atMost: 25 },
  ],
  run: async (say) => {
    await using started = new AsyncDisposableStack();
    const [peers = 0, authority = 0] = await freePorts(2);
    const [backend] = await startBackends(started);
    const wire = started.use(await openWire(peers));
    const a = started.use(
      await NodeUnderTest.start({
        flags: ["--listen-peers", `127.0.0.1:${peers}`, "--auth-authority-listen", `127.0.0.1:${authority}`],
      }),
    );
    using auth = await a.connect("auth", authContract);
    const { token } = await auth.call.createJoinToken({ node: "n2" });
    const [ownPeers = 0] = await freePorts(1);
    const b = started.use(
      await NodeUnderTest.start({
        name: "n2",
        flags: [
          ...["--peer", JSON.stringify({ name: "n1", address: `127.0.0.1:${wire.port}` }), "--join", token],
          ...["--listen-peers", `127.0.0.1:${ownPeers}`],
        ],
      }),
    );
    const self = await enrol(a, "n3");
    using orchestrator = await a.connect("orchestrator", orchestratorContract);
    const one = async (name: string): Promise<number> => {
      const left = wire.nextUpdate();
      await orchestrator.call.addService({
        service: { name, protocol: "http", url: `http://127.0.0.1:${backend}`, timeoutMs: 15_000 },
        waitMs: 0,
      });
      const host = `${name}.${b.domain}`;
      const served = untilServed(b.ports.egress, host);
      const [from, at] = [await left, await served];
      await sleep(pauseMs);
      return at - from;
    };
    await one("first");
    const rows: Row[] = [];
    for (const busy of [false, true]) {
      await using third = busy ? await startThird(self, `n2.${b.domain}`, `127.0.0.1:${ownPeers}`) : null;
      const times: number[][] = [];
      for (let round = 0; round < rounds; round++) {
        say(`${busy ? "busy" : "quiet"}: round ${round + 1} of ${rounds}`);
        const prefix = `${busy ? "busy" : "quiet"}-${round}`;
        const telling = third === null ? Promise.resolve() : tell(third, prefix, b.domain);
        const values: number[] = [];
        for (let at = 0; at < perRound; at++) values.push(await one(`${prefix}-${at}`));
        times.push(values);
        await telling;
      }
      const name = busy ? "update_to_served_busy" : "update_to_served";
      for (const [metric, share] of [
        ["p50", 0.5],
        ["p99", 0.99],
      ] as const) {
        const what = { case: name, metric, system: ours, unit: "ms" };
        rows.push(
          toRow(
            what,
            times.map((values) => percentile(values, share)),
          ),
        );
      }
    }
    return rows;
  },
};

/** A third peer tells a round's part of 10,000 routes, in many updates over about as long as the round takes. */
function tell(third: Third, prefix: string, domain: string): Promise<void> {
  const services = Array.from({ length: others / rounds }, (_, at) => `other-${prefix}-${at}.${domain}`);
  return third.tell(services, otherBatch, pauseMs / 2);
}
