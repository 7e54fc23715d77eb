// One size of `npm run bench -- rib`: prints what it took as JSON.
import { encodeAttributes, encodeUpdate, type PolicyRule, Speaker } from "@catalyst/peering";
import { peakMegabytes } from "../report.ts";

const size = Number(process.argv[2]);
const domain = "acme.catalyst.internal";
const [sender, receiver, ...others] = ["n1", "n2", "n3", "n4"].map((label) => `${label}.${domain}`);
const perMessage = 250;
const now = { instant: 0, wall: 1_800_000_000 };

/** Nine rules that are about other routes, or only some of these, before the one that lets them in. */
const rules: readonly PolicyRule[] = [
  { name: "no tests", match: { service: "test-*" }, action: "reject" },
  { name: "no drafts", match: { service: "*-draft.*" }, action: "reject" },
  { name: "no other organisation", match: { organisation: "globex.*" }, action: "reject" },
  { name: "no TCP from afar", match: { protocol: "tcp", nodePathLength: { min: 4 } }, action: "reject" },
  { name: "no laboratory", match: { labels: { stage: "lab*" } }, action: "reject" },
  { name: "far", match: { nodePathLength: { min: 8 } }, action: "accept", set: { localPref: 50 } },
  { name: "of the third node", match: { peer: "n3.*" }, action: "accept", set: { metric: 10 } },
  { name: "preferred", match: { service: "*-9.*" }, action: "accept", set: { localPref: 200 } },
  { name: "payments", match: { service: "pay*-*.acme.*" }, action: "accept", set: { noExport: true } },
  { name: "the others", match: { service: "s*" }, action: "accept", set: { labels: { via: "n2" } } },
];

const start = performance.now();
const speaker = new Speaker({
  node: receiver ?? "",
  domain,
  nextHop: nextHopOf(receiver ?? ""),
  import: rules,
});
let bytes = 0;
for (const peer of [sender ?? "", ...others]) {
  take(speaker.step({ kind: "up", peer, domain }, now));
  take(speaker.step({ kind: "taken", peer }, now));
}
for (let first = 0; first < size; first += perMessage) {
  take(speaker.step({ kind: "message", peer: sender ?? "", bytes: messageFrom(first) }, now));
  for (const peer of others) take(speaker.step({ kind: "taken", peer }, now));
}
const seconds = (performance.now() - start) / 1_000;
const told = others.map((peer) => speaker.peers.get(peer)?.session?.outbound.rib.routes);
if (told.some((routes) => routes !== size) || bytes < size * 20)
  throw new Error(`told of ${told.join(", ")} routes`);
console.log(JSON.stringify({ seconds, megabytes: peakMegabytes(process.pid) }));

function take({ send, close }: ReturnType<Speaker["step"]>): void {
  if (close.length > 0) throw new Error(close[0]?.text);
  for (const { messages } of send) for (const message of messages) bytes += message.length;
}

function messageFrom(first: number): Uint8Array {
  const services = Array.from(
    { length: Math.min(perMessage, size - first) },
    (_, at) => `service-${first + at}-${(first + at) % 10}.${domain}`,
  );
  const attributes = encodeAttributes({
    organisation: domain,
    protocol: "graphql",
    nextHop: nextHopOf(sender ?? ""),
    nodePath: [sender ?? ""],
    orgPath: [],
    localPref: 100,
    metric: first / perMessage,
    noExport: false,
    expiry: null,
    labels: new Map([["stage", "production"]]),
    schemaDigest: new Uint8Array(32).fill(first % 251),
    originFact: null,
  });
  return encodeUpdate({
    withdrawn: [],
    announced: { origin: sender ?? "", attributes, services, healthy: true },
  });
}

function nextHopOf(node: string) {
  return {
    host: "192.0.2.1",
    port: 10_443,
    sni: node,
    spiffeId: `spiffe://${domain}/node/${node.split(".")[0]}/envoy`,
  };
}
