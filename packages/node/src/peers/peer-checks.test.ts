import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PeeringState, PeerStatus } from "@catalyst/rpc";
import { nextHopCheck, peerChecks } from "./peer-checks.ts";

const now = Date.now();
const peer: PeerStatus = {
  node: "n2.acme.catalyst.internal",
  address: "192.0.2.2:7400",
  origin: "configuration",
  fingerprint: null,
  state: "established",
  establishedMs: 1_000,
  retryInMs: null,
  attempts: 0,
  authenticated: true,
  clockSkewMs: 3,
  certificateNotAfter: new Date(now + 86_400_000).toISOString(),
  received: 1,
  advertised: 1,
  lastEnd: null,
};
const state: PeeringState = {
  node: "n1.acme.catalyst.internal",
  listening: [],
  authenticated: true,
  peers: [peer],
  fingerprint: null,
  problem: null,
};

const failed = (given: PeeringState | null) =>
  peerChecks(given)
    .filter(({ outcome }) => outcome !== "ok")
    .map(({ code, detail }) => `${code}: ${detail}`);

describe("what is checked of peers", () => {
  it("is nothing where there are none", () => assert.deepEqual(peerChecks(null), []));

  it("is well with a session with each that is configured", () => {
    assert.deepEqual(failed(state), []);
    const stranger = { ...peer, origin: "incoming", state: "idle" } as const;
    assert.deepEqual(failed({ ...state, peers: [peer, stranger] }), []);
  });

  it("names who is away, why, and what else is wrong", () => {
    const at = new Date(now).toISOString();
    const lastEnd = { code: "connection_lost", text: "refused", by: null, at } as const;
    const away = { ...peer, state: "idle", lastEnd } as const;
    assert.match(failed({ ...state, peers: [away] }).join(), /^peers.established: n2.*idle, refused$/);
    assert.match(
      failed({ ...state, problem: "no certificate" }).join(),
      /^peers.established: no certificate$/,
    );
    assert.match(failed({ ...state, authenticated: false }).join(), /^peers.authenticated: .*plain/);
    const skewed = { ...peer, clockSkewMs: -3_600_000 };
    assert.match(failed({ ...state, peers: [skewed] }).join(), /^peers.clocks: n2.*-3600000 ms$/);
    const expiring = { ...peer, certificateNotAfter: new Date(now + 60_000).toISOString() };
    assert.match(failed({ ...state, peers: [expiring] }).join(), /^peers.certificates: n2/);
  });

  it("warns of services that nobody is told of", () => {
    const outcomes = (...given: Parameters<typeof nextHopCheck>) =>
      nextHopCheck(...given).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes(state, 1, undefined), ["warning"]);
    assert.deepEqual(outcomes(state, 1, "192.0.2.1:10002"), ["ok"]);
    assert.deepEqual([...outcomes(state, 0, undefined), ...outcomes(null, 1, undefined)], []);
  });
});
