import assert from "node:assert/strict";
import { test } from "node:test";
import { modelTypes, resource } from "../test/model.ts";
import type { DiscoveryRequest, Protocol } from "./discovery.ts";
import { defaultLimits } from "./options.ts";
import { Published } from "./published.ts";
import type { Resource, ResourceName } from "./resource.ts";
import { typeTable } from "./resource-type.ts";
import { createStream, isSettled, type StreamEvent, type StreamLimits, step } from "./stream.ts";
import type { Effect } from "./subscription.ts";
import { ResourceTable } from "./table.ts";

type Said = Partial<DiscoveryRequest> & {
  readonly names?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly initial?: Record<string, string>;
};

/** One stream whose client is the test: every call returns what the server then sends, as text. */
function talk(protocol: Protocol, limits: Partial<StreamLimits> = {}) {
  const types = typeTable(modelTypes);
  const table = new ResourceTable(types.of);
  const published = new Published(table);
  const stream = createStream(protocol, types, { ...defaultLimits, ...limits }, 0);
  const effects: Effect[] = [];
  let now = 0;
  const take = (event: StreamEvent): string[] => {
    const all = step(stream, event, published, now);
    effects.push(...all);
    return all.flatMap((effect) => (effect.kind === "send" ? [spell(effect)] : []));
  };
  return {
    effects,
    stream,
    publish: (upsert: readonly Resource[], remove: readonly ResourceName[] = []) => {
      const plan = table.plan({ upsert, remove });
      table.commit(plan);
      return take({ kind: "published", plan });
    },
    say: (type: string, said: Said = {}) => {
      const { names = [], subscribe = [], unsubscribe = [], initial = {}, nonce = "", error } = said;
      const interest =
        protocol === "sotw"
          ? { kind: "list" as const, names }
          : { kind: "change" as const, subscribe, unsubscribe, initial: new Map(Object.entries(initial)) };
      return take({ kind: "request", request: { node: "n", type, nonce, error, interest } });
    },
    pass: (ms: number) => {
      now += ms;
      return take({ kind: "tick" });
    },
    settled: () => isSettled(stream, table.revision, published, now),
  };
}

function spell(effect: Effect & { readonly kind: "send" }): string {
  const names = [
    ...effect.resources.map(({ name }) => `+${name}`),
    ...effect.removed.map((name) => `-${name}`),
  ];
  return `${effect.nonce} ${effect.type} ${names.join(" ")}`.trim();
}

const cluster = (name: string, label = "1") => resource("cluster", name, label);
const endpoint = (name: string, label = "1") => resource("endpoint", name, label);
const withEndpoint = (name: string, label = "1") => resource("cluster", name, label, `endpoint ${name}`);

for (const protocol of ["delta", "sotw"] as const) {
  test(`nothing is answered before something is published (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    assert.deepEqual(say("cluster"), []);
    assert.deepEqual(publish([cluster("a")]), ["1 cluster +a"]);
  });

  test(`the first request is answered even when there is nothing (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([endpoint("e")]);
    assert.deepEqual(say("cluster"), ["1 cluster"]);
  });

  test(`the first request of a stream is answered whatever nonce it carries (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([cluster("a")]);
    assert.deepEqual(say("cluster", { nonce: "from another stream" }), ["1 cluster +a"]);
  });

  test(`an acknowledgement triggers nothing, and equal bytes are not sent again (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([cluster("a")]);
    say("cluster");
    assert.deepEqual(say("cluster", { nonce: "1" }), []);
    assert.deepEqual(publish([cluster("a")]), []);
    assert.deepEqual(publish([cluster("a", "2")]), ["2 cluster +a"]);
  });

  test(`one response is outstanding, and what changes meanwhile is sent once, the newest (${protocol})`, () => {
    const { say, publish, effects, settled } = talk(protocol);
    publish([cluster("a")]);
    say("cluster");
    assert.deepEqual(publish([cluster("a", "2")]), []);
    assert.deepEqual(publish([cluster("a", "3")]), []);
    assert.equal(settled(), false);
    assert.deepEqual(say("cluster", { nonce: "1" }), ["2 cluster +a"]);
    const last = effects.findLast((effect) => effect.kind === "send");
    assert.equal(last?.resources[0]?.version, cluster("a", "3").version);
    say("cluster", { nonce: "2" });
    assert.equal(settled(), true);
  });

  test(`a change that is taken back before it was sent is not sent (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([cluster("a")]);
    say("cluster");
    publish([cluster("b")]);
    publish([], [cluster("b")]);
    assert.deepEqual(say("cluster", { nonce: "1" }), []);
  });

  test(`a stale nonce acknowledges nothing (${protocol})`, () => {
    const { say, publish, effects } = talk(protocol);
    publish([cluster("a")]);
    say("cluster");
    say("cluster", { nonce: "0", error: "an answer to something older" });
    assert.equal(
      effects.some(({ kind }) => kind === "acknowledged" || kind === "rejected"),
      false,
    );
    assert.deepEqual(publish([cluster("b")]), [], "the first response is still outstanding");
  });

  test(`a response that stays unanswered ends the stream (${protocol})`, () => {
    const { say, publish, pass, effects } = talk(protocol, { ackTimeoutMs: 100 });
    publish([cluster("a")]);
    say("cluster");
    pass(100);
    assert.equal(effects.at(-1)?.kind, "send");
    pass(1);
    assert.deepEqual(effects.at(-1), { kind: "close", reason: "ack_timeout" });
  });

  test(`more names or types than allowed end the stream (${protocol})`, () => {
    const names = ["a", "b", "c"];
    const many = talk(protocol, { maxNames: 2 });
    many.say("endpoint", { names, subscribe: names });
    assert.deepEqual(many.effects.at(-1), { kind: "close", reason: "too_many_names" });
    const types = talk(protocol, { maxTypes: 1 });
    types.say("cluster");
    types.say("endpoint");
    assert.deepEqual(types.effects.at(-1), { kind: "close", reason: "too_many_types" });
  });

  test(`an updated cluster has its endpoints sent again although they did not change (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([withEndpoint("a"), endpoint("a")]);
    say("cluster");
    say("endpoint", { names: ["a"], subscribe: ["a"] });
    say("cluster", { nonce: "1" });
    say("endpoint", { nonce: "2", names: ["a"] });
    assert.deepEqual(publish([withEndpoint("a", "2")]), ["3 cluster +a", "4 endpoint +a"]);
  });

  test(`a route waits for its cluster and for the endpoints of that, but not for ever (${protocol})`, () => {
    const start = () => {
      const talking = talk(protocol, { patienceMs: 100 });
      talking.publish([endpoint("x")]);
      talking.say("cluster");
      talking.say("cluster", { nonce: "1" });
      talking.say("route", { names: ["r"], subscribe: ["r"] });
      if (protocol === "delta") talking.say("route", { nonce: "2" });
      const change = [withEndpoint("a"), endpoint("a"), resource("route", "r", "1", "cluster a")];
      const sent = talking.publish(change);
      assert.equal(sent.length, 1);
      assert.match(sent[0] ?? "", /cluster \+a$/);
      assert.deepEqual(talking.say("cluster", { nonce: sent[0]?.split(" ")[0] ?? "" }), []);
      return talking;
    };
    const patient = start();
    const [endpoints = ""] = patient.say("endpoint", { names: ["a"], subscribe: ["a"] });
    assert.match(endpoints, /endpoint \+a$/);
    const nonce = endpoints.split(" ")[0] ?? "";
    assert.match(patient.say("endpoint", { nonce, names: ["a"] })[0] ?? "", /route \+r$/);
    const other = start();
    assert.deepEqual(other.pass(99), []);
    assert.match(other.pass(1)[0] ?? "", /route \+r$/, "the client did not ask for the endpoints");
  });

  test(`the removal of a cluster waits until the route that named it is acknowledged (${protocol})`, () => {
    const { say, publish } = talk(protocol);
    publish([cluster("a"), cluster("b"), resource("route", "r", "1", "cluster a")]);
    say("cluster");
    say("cluster", { nonce: "1" });
    say("route", { names: ["r"], subscribe: ["r"] });
    say("route", { nonce: "2", names: ["r"] });
    const sent = publish([resource("route", "r", "2", "cluster b")], [cluster("a")]);
    assert.deepEqual(sent, ["3 route +r"]);
    const removal = protocol === "delta" ? "4 cluster -a" : "4 cluster +b -a";
    assert.deepEqual(say("route", { nonce: "3", names: ["r"] }), [removal]);
  });

  test(`a scope that goes over to another table waits until a new one has brought that, but not for ever (${protocol})`, () => {
    const scope = (name: string, table: string) => resource("scope", name, table, `table ${table}`);
    const start = () => {
      const talking = talk(protocol, { patienceMs: 100 });
      talking.publish([resource("table", "t", "1"), scope("a", "t")]);
      talking.say("scope");
      talking.say("scope", { nonce: "1" });
      talking.say("table", { names: ["t"], subscribe: ["t"] });
      talking.say("table", { nonce: "2", names: ["t"] });
      return talking;
    };
    const named = (sent: readonly string[]) => sent.map((each) => each.replace(/^\d+ /, ""));
    const kept = protocol === "sotw" ? " +a" : "";
    const brought = start();
    assert.deepEqual(
      named(brought.publish([resource("table", "u", "1"), scope("herald", "u"), scope("a", "u")])),
      [`scope${kept} +herald`],
    );
    assert.deepEqual(brought.say("scope", { nonce: "3" }), []);
    const asked = brought.say("table", { nonce: "2", names: ["t", "u"], subscribe: ["u"] });
    assert.deepEqual(named(asked), ["table +u"]);
    const over = brought.say("table", { nonce: "4", names: ["t", "u"] });
    assert.deepEqual(named(over), [protocol === "sotw" ? "scope +herald +a" : "scope +a"]);

    const unasked = start();
    unasked.publish([resource("table", "u", "1"), scope("herald", "u"), scope("a", "u")]);
    assert.deepEqual(unasked.say("scope", { nonce: "3" }), []);
    assert.deepEqual(unasked.pass(99), []);
    assert.match(unasked.pass(1)[0] ?? "", /scope .*\+a$/, "the client did not ask for the table");

    const alone = start();
    assert.deepEqual(named(alone.publish([resource("table", "u", "1"), scope("a", "u")])), ["scope +a"]);
  });

  test(`a scope is sent when the client has the clusters of the table that it names (${protocol})`, () => {
    const { publish, say } = talk(protocol);
    publish([cluster("old")]);
    say("cluster");
    say("cluster", { nonce: "1" });
    say("scope");
    say("scope", { nonce: "2" });
    const table = resource("table", "t", "1", "cluster new");
    const sent = publish([cluster("new"), table, resource("scope", "a", "1", "table t")]);
    assert.deepEqual(sent, [protocol === "delta" ? "3 cluster +new" : "3 cluster +old +new"]);
    assert.deepEqual(say("cluster", { nonce: "3" }), ["4 scope +a"]);
  });

  test(`one resource that is rejected alone is in quarantine until its content changes (${protocol})`, () => {
    const { say, publish, effects, settled } = talk(protocol);
    publish([cluster("a", "bad")]);
    say("cluster");
    assert.deepEqual(say("cluster", { nonce: "1", error: "no" }), []);
    assert.equal(effects.at(-1)?.kind, "quarantined");
    assert.equal(settled(), true);
    assert.deepEqual(publish([cluster("a", "bad")]), []);
    assert.deepEqual(publish([cluster("a", "2")]), ["2 cluster +a"]);
  });
}

test("the error's text decides which part of a rejected response is tried first", () => {
  const { say, publish } = talk("delta");
  publish(["a", "b", "c", "d"].map((name) => cluster(name)));
  say("cluster");
  assert.deepEqual(say("cluster", { nonce: "1", error: "cluster c: no such thing" }), ["2 cluster +a +b +d"]);
  assert.deepEqual(say("cluster", { nonce: "2" }), ["3 cluster +c"]);
  assert.deepEqual(say("cluster", { nonce: "3", error: "cluster c: no such thing" }), []);
});

test("without a name in the error a rejected response is halved until the culprit stands alone", () => {
  const { say, publish } = talk("delta");
  publish(["w", "x", "y", "z"].map((name) => cluster(name)));
  say("cluster");
  assert.deepEqual(say("cluster", { nonce: "1", error: "?" }), ["2 cluster +w +x"]);
  assert.deepEqual(say("cluster", { nonce: "2", error: "?" }), ["3 cluster +w"]);
  assert.deepEqual(say("cluster", { nonce: "3" }), ["4 cluster +x"]);
  assert.deepEqual(say("cluster", { nonce: "4", error: "?" }), ["5 cluster +y +z"]);
});

test("delta: `*` asks for everything, and giving it up leaves what was asked for by name", () => {
  const { say, publish } = talk("delta");
  publish([cluster("a"), cluster("b")]);
  assert.deepEqual(say("cluster", { subscribe: ["*", "a"] }), ["1 cluster +a +b"]);
  say("cluster", { nonce: "1" });
  say("cluster", { unsubscribe: ["*"] });
  assert.deepEqual(publish([cluster("a", "2"), cluster("b", "2")]), ["2 cluster +a"]);
});

test("delta: a name given up under the wildcard is answered with its state", () => {
  const { say, publish } = talk("delta");
  publish([cluster("a")]);
  say("cluster", { subscribe: ["*", "a", "b"] });
  say("cluster", { nonce: "1" });
  assert.deepEqual(say("cluster", { unsubscribe: ["a", "b"] }), ["2 cluster +a -b"]);
});

test("delta: an unknown name is answered as removed, and when it appears", () => {
  const { say, publish } = talk("delta");
  publish([cluster("a")]);
  assert.deepEqual(say("endpoint", { subscribe: ["e"] }), ["1 endpoint -e"]);
  say("endpoint", { nonce: "1" });
  assert.deepEqual(publish([endpoint("e")]), ["2 endpoint +e"]);
});

test("delta: a name that is asked for again is answered again", () => {
  const { say, publish } = talk("delta");
  publish([endpoint("e")]);
  say("endpoint", { subscribe: ["e"] });
  say("endpoint", { nonce: "1" });
  assert.deepEqual(say("endpoint", { subscribe: ["e"] }), ["2 endpoint +e"]);
});

test("delta: a type without a wildcard takes an empty first request as nothing", () => {
  const { say, publish } = talk("delta");
  publish([endpoint("e")]);
  assert.deepEqual(say("endpoint"), []);
});

test("delta: a client that says what it has receives the differences, and its versions count as acknowledged", () => {
  const { say, publish, effects } = talk("delta");
  publish([cluster("same"), cluster("changed", "2"), cluster("new")]);
  const initial = { same: cluster("same").version, changed: cluster("changed").version, gone: "x" };
  assert.deepEqual(
    say("cluster", { initial }),
    ["1 cluster +changed +new"],
    "a listener may yet name what is gone",
  );
  const confirmed = effects.find((effect) => effect.kind === "acknowledged");
  assert.deepEqual(
    confirmed?.upsert.map(({ resource: { name } }) => name),
    ["same"],
  );
});

test("delta: what a client declares and is gone is removed once it can no longer declare what names it", () => {
  const { say, publish, pass } = talk("delta", { declareMs: 100 });
  publish([cluster("a")]);
  assert.deepEqual(say("cluster", { initial: { gone: "x", a: cluster("a").version } }), ["1 cluster"]);
  say("cluster", { nonce: "1" });
  assert.deepEqual(pass(99), []);
  assert.deepEqual(pass(1), ["2 cluster -gone"]);
});

test("delta: endpoints that are declared after their changed cluster was sent are sent again", () => {
  const { say, publish } = talk("delta");
  publish([withEndpoint("a", "2"), endpoint("a")]);
  say("cluster", { initial: { a: "older" } });
  assert.deepEqual(say("endpoint", { subscribe: ["a"], initial: { a: endpoint("a").version } }), [
    "2 endpoint +a",
  ]);
});

test("delta: names in a message with a stale nonce count, because they are changes", () => {
  const { say, publish } = talk("delta");
  publish([endpoint("e"), endpoint("f")]);
  say("endpoint", { subscribe: ["e"] });
  say("endpoint", { nonce: "stale", subscribe: ["f"] });
  assert.deepEqual(say("endpoint", { nonce: "1" }), ["2 endpoint +f"]);
});

test("state of the world: an empty list means everything at first, and nothing after a name was given", () => {
  const { say, publish } = talk("sotw");
  publish([cluster("a"), cluster("b")]);
  assert.deepEqual(say("cluster"), ["1 cluster +a +b"]);
  say("cluster", { nonce: "1" });
  say("cluster", { nonce: "1", names: ["a"] });
  say("cluster", { nonce: "1" });
  assert.deepEqual(publish([cluster("a", "2"), cluster("b", "2")]), []);
  assert.deepEqual(say("cluster", { nonce: "1", names: ["*"] }), ["2 cluster +a +b"]);
});

test("state of the world: names in a message with a stale nonce do not count", () => {
  const { say, publish } = talk("sotw");
  publish([endpoint("e"), endpoint("f")]);
  say("endpoint", { names: ["e"] });
  say("endpoint", { nonce: "stale", names: ["e", "f"] });
  assert.deepEqual(say("endpoint", { nonce: "1", names: ["e"] }), []);
  assert.deepEqual(say("endpoint", { nonce: "1", names: ["e", "f"] }), ["2 endpoint +f"]);
});

test("state of the world: what was given up and asked for again while a response was on its way is sent again", () => {
  const { say, publish } = talk("sotw");
  publish([endpoint("e"), endpoint("f")]);
  say("endpoint", { names: ["e"] });
  say("endpoint", { nonce: "1", names: ["e"] });
  assert.deepEqual(say("endpoint", { nonce: "1", names: ["e", "f"] }), ["2 endpoint +f"]);
  say("endpoint", { nonce: "1", names: ["f"] });
  say("endpoint", { nonce: "1", names: ["e", "f"] });
  assert.deepEqual(say("endpoint", { nonce: "2", names: ["e", "f"] }), ["3 endpoint +e"]);
  assert.deepEqual(say("endpoint", { nonce: "3", names: ["e", "f"] }), []);
});

test("state of the world: an unknown name is answered when it appears", () => {
  const { say, publish } = talk("sotw");
  publish([cluster("a")]);
  assert.deepEqual(say("endpoint", { names: ["e"] }), []);
  assert.deepEqual(publish([endpoint("e")]), ["1 endpoint +e"]);
});

test("state of the world: clusters are all repeated when one changes, endpoints are not", () => {
  const { say, publish } = talk("sotw");
  publish([cluster("a"), cluster("b"), endpoint("e"), endpoint("f")]);
  say("cluster");
  say("cluster", { nonce: "1" });
  say("endpoint", { names: ["e", "f"] });
  say("endpoint", { nonce: "2", names: ["e", "f"] });
  const sent = publish([cluster("b", "2"), endpoint("f", "2")]);
  assert.deepEqual(sent, ["3 cluster +a +b", "4 endpoint +f"]);
});

test("delta: a large response is sent in parts, each after the one before was acknowledged", () => {
  const { say, publish } = talk("delta", { maxResponseBytes: 4 });
  publish(["a", "b", "c"].map((name) => cluster(name)));
  assert.deepEqual(say("cluster"), ["1 cluster +a +b"]);
  assert.deepEqual(say("cluster", { nonce: "1" }), ["2 cluster +c"]);
});
