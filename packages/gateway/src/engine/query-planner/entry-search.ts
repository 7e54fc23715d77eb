import type { FederatedSchema, FieldSet, Provided } from "./federated-schema.ts";
import type { FieldSelection } from "./field-selection.ts";

/** How entities of a type are asked for at a service. */
export type Entry = {
  readonly service: string;
  /** The type itself, or an interface of it that the service knows as an object. */
  readonly type: string;
  readonly key: FieldSet;
  /** So many requests lead there; the key needs none of as many. */
  readonly rank: number;
};

/** What is known of objects at one place by one service. */
export type Known = { readonly service: string; readonly type: string; readonly provided: Provided };

/** Keys inside keys are followed so deep. */
const maxDepth = 4;

/**
 * Finds the services that can be asked for an entity, from one that knows it: by a key whose fields that service has,
 * or others that can be asked before.
 */
export class EntrySearch {
  readonly #schema: FederatedSchema;
  readonly #found = new Map<string, readonly Entry[]>();

  constructor(schema: FederatedSchema) {
    this.#schema = schema;
  }

  /** Nearest first. The service itself is among them where it can be asked again. */
  entries(typeName: string, from: Known): readonly Entry[] {
    return this.#entries(typeName, from, 0);
  }

  #entries(typeName: string, from: Known, depth: number): readonly Entry[] {
    if (from.provided.length > 0) return this.#search(typeName, from, depth);
    const key = `${typeName} ${from.service} ${from.type} ${depth}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const found = this.#search(typeName, from, depth);
    this.#found.set(key, found);
    return found;
  }

  #search(typeName: string, from: Known, depth: number): readonly Entry[] {
    const open = this.#targets(typeName);
    const known: Known[] = [from];
    const entries: Entry[] = [];
    for (let rank = 1; ; rank++) {
      const reached: Entry[] = [];
      for (const target of open) {
        const key = target.keys.find(({ selection }) =>
          selection.fields.every((field) => this.#isKnown(field, known, depth)),
        );
        if (key === undefined) continue;
        open.delete(target);
        reached.push({ service: target.service, type: target.type, key, rank });
      }
      if (reached.length === 0) return entries;
      entries.push(...reached);
      known.push(...reached.map(({ service, type }) => ({ service, type, provided: [] })));
    }
  }

  /** All that can be asked for entities of a type, if their keys are known. */
  #targets(typeName: string) {
    const targets = new Set<{ service: string; type: string; keys: readonly FieldSet[] }>();
    const add = (name: string, interfaceObjectsOnly: boolean) => {
      for (const [service, { keys, isInterfaceObject }] of this.#schema.type(name)?.parts ?? []) {
        if (interfaceObjectsOnly && !isInterfaceObject) continue;
        const resolvable = keys.filter((key) => key.resolvable).map(({ fields }) => fields);
        if (resolvable.length > 0) targets.add({ service, type: name, keys: resolvable });
      }
    };
    add(typeName, false);
    for (const name of this.#schema.type(typeName)?.interfaces ?? []) add(name, true);
    return targets;
  }

  #isKnown({ name, below }: FieldSelection, known: readonly Known[], depth: number): boolean {
    if (name === "__typename") return true;
    if (below === null) return known.some((each) => this.#fieldOf(each, name) !== null);
    if (below.fragments.length > 0) return known.some((each) => this.#fieldOf(each, name) !== null);
    return below.fields.every((inner) =>
      known.some((each) => {
        const part = this.#fieldOf(each, name);
        if (part === null) return false;
        const provided = this.#schema.providedBelow(each.service, each.type, name, each.provided, part);
        const from: Known = { service: each.service, type: part.type.name, provided };
        if (this.#isKnown(inner, [from], maxDepth)) return true;
        if (depth >= maxDepth) return false;
        const further = this.#entries(from.type, from, depth + 1);
        const all = further.map(({ service, type }) => ({ service, type, provided: [] }));
        return this.#isKnown(inner, [from, ...all], depth + 1);
      }),
    );
  }

  #fieldOf({ service, type, provided }: Known, name: string) {
    return this.#schema.resolveAlike(service, type, name, provided);
  }
}
