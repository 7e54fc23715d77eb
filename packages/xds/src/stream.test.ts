import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Manners, resource, Simulation } from "../test/model.ts";
import type { Protocol } from "./discovery.ts";
import type { Resource, ResourceName } from "./resource.ts";

const names = ["a", "b", "c"];

/** One thing that happens. Targets index into {@link names}; what they do not allow does nothing. */
type Move =
  | { readonly kind: "serve" | "receive" | "reconnect" }
  | { readonly kind: "service"; readonly at: number; readonly label: string; readonly bad: boolean }
  | {
      readonly kind: "route";
      readonly at: number;
      readonly to: number;
      readonly label: string;
      readonly bad: boolean;
    }
  | { readonly kind: "endpoint"; readonly at: number; readonly label: string; readonly bad: boolean }
  | { readonly kind: "withdraw"; readonly at: number }
  | {
      readonly kind: "scope";
      readonly at: number;
      readonly to: number;
      readonly label: string;
      readonly bad: boolean;
    }
  | { readonly kind: "table"; readonly at: number; readonly label: string; readonly bad: boolean }
  | { readonly kind: "unscope"; readonly at: number };

const at = fc.nat(names.length - 1);
const label = fc.constantFrom("1", "2", "3");
const bad = fc.integer({ min: 0, max: 5 }).map((roll) => roll === 0);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("serve" as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("receive" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("service" as const), at, label, bad }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("route" as const), at, to: at, label, bad }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("endpoint" as const), at, label, bad }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("withdraw" as const), at }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("scope" as const), at, to: at, label, bad }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("table" as const), at, label, bad }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unscope" as const), at }) },
);

const cluster = (name: string, text: string) => resource("cluster", name, text, `endpoint ${name}`);
const marked = (text: string, isBad: boolean) => (isBad ? `bad${text}` : text);

/** The routes that lead to each cluster decide what may go; a listener names every route that there is. */
class Publisher {
  readonly #simulation: Simulation;
  readonly #routes = new Map<string, string>();
  readonly #scopes = new Map<string, string>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  play(step: Move): void {
    const { table } = this.#simulation;
    const name = "at" in step ? (names[step.at] ?? "") : "";
    const exists = (type: string, which: string) => table.entry({ type, name: which }) !== undefined;
    this.#playScope(step);
    if (step.kind === "service") {
      const fresh = exists("endpoint", name) ? [] : [resource("endpoint", name, "0")];
      this.#simulation.publish([cluster(name, marked(step.label, step.bad)), ...fresh]);
    } else if (step.kind === "endpoint" && exists("cluster", name)) {
      this.#simulation.publish([resource("endpoint", name, marked(step.label, step.bad))]);
    } else if (step.kind === "route") {
      const to = names[step.to] ?? "";
      if (!exists("cluster", to)) return;
      this.#routes.set(name, to);
      const route = resource("route", name, marked(step.label, step.bad), `cluster ${to}`);
      this.#simulation.publish([route, this.#listener()]);
    } else if (step.kind === "withdraw" && exists("cluster", name)) {
      const gone = [...this.#routes].filter(([, to]) => to === name).map(([route]) => route);
      for (const route of gone) this.#routes.delete(route);
      const lost = exists("table", name) ? [resource("table", name, "w")] : [];
      this.#simulation.publish(
        [this.#listener(), ...lost],
        [
          { type: "cluster", name },
          { type: "endpoint", name },
          ...gone.map((route) => ({ type: "route", name: route })),
        ],
      );
    }
  }

  /** A scope comes with another one that is never taken for a third and has the client ask for the table. */
  #playScope(step: Move): void {
    const { table } = this.#simulation;
    const name = "at" in step ? (names[step.at] ?? "") : "";
    const has = (which: string) => table.entry({ type: "table", name: which }) !== undefined;
    if (step.kind === "table" && has(name)) {
      this.#simulation.publish([this.#tableOf(name, marked(step.label, step.bad))]);
    } else if (step.kind === "scope") {
      const to = names[step.to] ?? "";
      const fresh = has(to) ? [] : [this.#tableOf(to, "0")];
      this.#scopes.set(name, to);
      this.#simulation.publish(
        [
          resource("scope", name, marked(step.label, step.bad), `table ${to}`),
          ...fresh,
          resource("scope", `herald ${to}`, "0", `table ${to}`),
        ],
        this.#unused(),
      );
    } else if (step.kind === "unscope" && this.#scopes.delete(name)) {
      this.#simulation.publish([], [{ type: "scope", name }, ...this.#unused()]);
    }
  }

  /** It leads to the cluster of its name, where there is one. */
  #tableOf(name: string, label: string): Resource {
    const isThere = this.#simulation.table.entry({ type: "cluster", name }) !== undefined;
    return resource("table", name, label, ...(isThere ? [`cluster ${name}`] : []));
  }

  #unused(): ResourceName[] {
    const used = new Set(this.#scopes.values());
    const tables = [...this.#simulation.table.entries("table").keys()].filter((name) => !used.has(name));
    return tables.flatMap((name) => [
      { type: "table", name },
      { type: "scope", name: `herald ${name}` },
    ]);
  }

  #listener(): Resource {
    return resource(
      "listener",
      "all",
      "1",
      ...[...this.#routes.keys()].sort().map((route) => `route ${route}`),
    );
  }
}

function play(protocol: Protocol, manners: Manners, moves: readonly Move[]): Simulation {
  const simulation = new Simulation(protocol, manners);
  const publisher = new Publisher(simulation);
  simulation.publish([resource("listener", "all", "1")]);
  for (const step of moves) {
    if (step.kind === "serve") simulation.serve();
    else if (step.kind === "receive") simulation.receive();
    else if (step.kind === "reconnect") simulation.reconnect();
    else publisher.play(step);
  }
  simulation.drain();
  return simulation;
}

/** What the client must hold in the end: what is published and good, and names only what is good. */
function expectConverged({ table, client, stream, settled }: Simulation): void {
  assert.equal(settled, true, "everything that can be sent was");
  const isBad = (each: Resource) => new TextDecoder().decode(each.body).startsWith("bad");
  const usable = (type: string, name: string): boolean => {
    const entry = table.entry({ type, name });
    return (
      entry !== undefined &&
      !isBad(entry.resource) &&
      entry.references.every((to) => usable(to.type, to.name))
    );
  };
  for (const type of ["cluster", "endpoint", "route", "scope", "table"]) {
    const held = client.held.get(type) ?? new Map<string, Resource>();
    for (const [name, { resource: published, references }] of table.entries(type)) {
      if (type === "cluster" ? isBad(published) : !usable(type, name)) continue;
      const needs = ["route", "scope", "table"].includes(type);
      if (needs && !references.every((to) => usable(to.type, to.name))) continue;
      if (type === "endpoint" && !client.held.get("cluster")?.has(name)) continue;
      assert.equal(held.get(name)?.version, published.version, `${type} ${name}`);
    }
    const blocked = [...stream.subscriptions.values()].some(
      (sub) => sub.quarantine.size + sub.blocked.size > 0,
    );
    for (const name of held.keys())
      if (!blocked) assert.ok(table.entry({ type, name }), `${type} ${name} is gone`);
  }
  for (const [what, times] of client.badSeen) assert.ok(times <= 6, `${what} was sent ${times} times`);
}

for (const protocol of ["delta", "sotw"] as const) {
  for (const appliesPart of [true, false]) {
    for (const namesCulprit of [true, false]) {
      const manners = { appliesPart, namesCulprit };
      test(`a ${protocol} client converges, whatever the order of events (${JSON.stringify(manners)})`, () => {
        const moves = fc.array(protocol === "sotw" ? move.filter(({ kind }) => kind !== "reconnect") : move, {
          maxLength: 120,
          size: "max",
        });
        fc.assert(
          fc.property(moves, (steps) => expectConverged(play(protocol, manners, steps))),
          { numRuns: 1000 },
        );
      });
    }
  }
}

test("What a client may hold of a rejected response is replaced, also where it declared that version when it came back", () => {
  const serve: Move = { kind: "serve" };
  const receive: Move = { kind: "receive" };
  const service = (at: number, label: string, bad: boolean): Move => ({ kind: "service", at, label, bad });
  const moves = [
    ...[service(0, "2", false), serve, service(0, "1", true), service(1, "1", true), receive],
    ...[{ kind: "reconnect" } as const, serve, receive, serve, serve, service(0, "3", true)],
    ...[{ kind: "route", at: 0, to: 0, label: "1", bad: true } as const, receive, serve, receive, receive],
    ...[serve, receive, serve, serve, receive, serve, serve, serve, service(0, "2", false)],
  ];
  for (const appliesPart of [true, false])
    expectConverged(play("delta", { appliesPart, namesCulprit: false }, moves));
});
