import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../wire/test/hex.ts";
import { hostileBytes } from "../../wire/test/mutation.ts";
import { readCases } from "../../wire/test/vectors.ts";
import { AttributeCache } from "./attribute-set.ts";
import { decodeAttributes, encodeAttributes, type NextHop, type RouteAttributes } from "./attributes.ts";
import { comparePaths, decidingCriterion } from "./best-path.ts";
import { encodeEndOfRib } from "./end-of-rib.ts";
import { PeeringError } from "./errors.ts";
import { exportJudge } from "./export-path.ts";
import { encodeHealth } from "./health.ts";
import { decodeMessage, type Message } from "./message.ts";
import type { UsablePath } from "./path.ts";
import { compilePolicy } from "./policy.ts";
import { encodeRefresh } from "./refresh.ts";
import { Speaker } from "./speaker.ts";
import { attributesOf, domainOf, everybody, nextHopOf } from "./test-route.ts";
import { encodeUpdate } from "./update.ts";

type GoodMessage = { readonly hex: string; readonly message: Record<string, unknown> | null };
type Bad = { readonly hex?: string; readonly zeros?: number; readonly code: string };
type AttributesJson = Omit<RouteAttributes, "labels" | "schemaDigest" | "originFact"> & {
  readonly labels: Record<string, string>;
  readonly schemaDigest: string | null;
  readonly originFact: string | null;
};
type GoodAttributes = { readonly hex: string; readonly value: AttributesJson; readonly written?: string };

const messages = readCases<GoodMessage>("peering/message/good.json");
const attributes = readCases<GoodAttributes>("peering/attributes/good.json");
const bytesOf = ({ hex, zeros }: Bad) => (hex === undefined ? new Uint8Array(zeros ?? 0) : fromHex(hex));

/** The code with which a call is refused; null when it succeeds. Any other error goes on. */
function refusal(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof PeeringError) return error.code;
    throw error;
  }
}

function encode(message: Message): Uint8Array {
  switch (message.kind) {
    case "update":
      return encodeUpdate(message);
    case "end-of-rib":
      return encodeEndOfRib(message);
    case "refresh":
      return encodeRefresh(message);
    case "health":
      return encodeHealth(message);
  }
}

function fromJson(json: AttributesJson): RouteAttributes {
  const bytes = (hex: string | null) => (hex === null ? null : fromHex(hex));
  return {
    ...json,
    labels: new Map(Object.entries(json.labels)),
    schemaDigest: bytes(json.schemaDigest),
    originFact: bytes(json.originFact),
  };
}

describe("the messages of spec/peering.md §2", () => {
  for (const { name, hex, message } of messages) {
    test(`${name}: read as what it says, and written as the same bytes`, () => {
      const read = decodeMessage(fromHex(hex));
      const shown = JSON.stringify(read, (_, value) => (value instanceof Uint8Array ? toHex(value) : value));
      assert.deepEqual(JSON.parse(shown), message);
      if (read !== null) assert.equal(toHex(encode(read)), hex);
    });
  }
  for (const bad of readCases<Bad>("peering/message/bad.json")) {
    test(`${bad.name}: refused as ${bad.code}`, () => {
      assert.equal(
        refusal(() => decodeMessage(bytesOf(bad))),
        bad.code,
      );
    });
  }
});

describe("the attributes of spec/peering.md §3", () => {
  for (const { name, hex, value, written = hex } of attributes) {
    test(`${name}: read as what they say, and written again`, () => {
      const read = decodeAttributes(fromHex(hex));
      assert.deepEqual(
        { ...read, labels: new Map([...read.labels].sort()) },
        { ...fromJson(value), labels: new Map(Object.entries(value.labels).sort()) },
      );
      assert.equal(toHex(encodeAttributes(read)), written);
    });
  }
  for (const bad of readCases<Bad>("peering/attributes/bad.json")) {
    test(`${bad.name}: refused as ${bad.code}`, () => {
      assert.equal(
        refusal(() => decodeAttributes(bytesOf(bad))),
        bad.code,
      );
    });
  }
});

type ImportCase = {
  readonly node: string;
  readonly peer: string;
  readonly origin: string;
  readonly service: string;
  readonly attributes: string;
  readonly now: number;
  readonly refused: string | null;
};

describe("import by spec/peering.md §4.1", () => {
  for (const one of readCases<ImportCase>("peering/import/cases.json")) {
    test(`${one.name}: ${one.refused ?? "let in"}`, () => {
      const { node, peer, origin, service } = one;
      const self = { node, domain: domainOf(node), nextHop: nextHopOf(node) };
      const speaker = new Speaker({ ...self, import: [everybody] });
      const now = { instant: 0, wall: one.now };
      speaker.step({ kind: "up", peer, domain: domainOf(peer) }, now);
      const announced = { origin, attributes: fromHex(one.attributes), services: [service], healthy: true };
      const bytes = encodeUpdate({ withdrawn: [], announced });
      assert.deepEqual(speaker.step({ kind: "message", peer, bytes }, now).close, []);
      const path = speaker.peers.get(peer)?.rib.get(origin, service);
      assert.equal(path?.verdict.attributes === null ? path.verdict.rule : null, one.refused);
      assert.equal(speaker.routes(service).length, one.refused === null ? 1 : 0);
    });
  }
});

type ExportCase = {
  readonly node: string;
  readonly nextHop: NextHop;
  readonly peer: string;
  readonly route: AttributesJson;
  readonly sent: string | null;
};

describe("export by spec/peering.md §4.2", () => {
  for (const { name, node, nextHop, peer, route, sent } of readCases<ExportCase>(
    "peering/export/cases.json",
  )) {
    test(`${name}: ${sent === null ? "not told" : "told"}`, () => {
      const cache = new AttributeCache();
      const exporter = { node, domain: domainOf(node), nextHop };
      const to = { node: peer, domain: domainOf(peer), isOwnDomain: domainOf(peer) === domainOf(node) };
      const label = route.organisation === domainOf(node) ? "n1" : "m1";
      const set = cache.make(`${label}.${route.organisation}`, fromJson(route));
      const judge = exportJudge({ exporter, policy: compilePolicy([everybody]), cache }, to, set);
      const { attributes: told } = judge(`service.${route.organisation}`);
      assert.equal(told === null ? null : toHex(told.bytes), sent);
    });
  }
});

type BestPathCase = {
  readonly node: string;
  readonly paths: readonly {
    readonly origin: string;
    readonly peer: string;
    readonly localPref: number;
    readonly healthy: boolean;
    readonly orgPath: readonly string[];
    readonly metric: number;
    readonly nodePath: readonly string[];
  }[];
  readonly decidedBy: readonly string[];
};

describe("the best path of spec/peering.md §5", () => {
  for (const { name, node, paths, decidedBy } of readCases<BestPathCase>("peering/best-path/cases.json")) {
    test(name, () => {
      const cache = new AttributeCache();
      const made = paths.map(({ origin, peer, healthy, nodePath, ...more }): UsablePath => {
        const set = cache.make(origin, attributesOf(origin, nodePath, more));
        const source = { node: peer, domain: domainOf(peer), isOwnDomain: domainOf(peer) === domainOf(node) };
        const verdict = { attributes: set, rule: "" };
        return { service: "s", source, received: set, verdict, healthy, round: 0 };
      });
      assert.deepEqual([...made].reverse().sort(comparePaths), made);
      const found = made.slice(1).map((path, at) => decidingCriterion(made[at] ?? path, path));
      assert.deepEqual(found, decidedBy);
    });
  }
});

test("whatever a peer sends is refused with a code, or read and written as the same bytes", () => {
  const seeds = messages.map(({ hex }) => fromHex(hex));
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      refusal(() => {
        const message = decodeMessage(bytes);
        if (message !== null) assert.deepEqual(encode(message), bytes);
      });
    }),
    { numRuns: 5_000 },
  );
});

test("whatever stands for attributes is refused with a code, or says what is written again", () => {
  const seeds = attributes.map(({ hex }) => fromHex(hex));
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      refusal(() => {
        const read = decodeAttributes(bytes);
        assert.deepEqual(decodeAttributes(encodeAttributes(read)), read);
      });
    }),
    { numRuns: 5_000 },
  );
});
