import {
  type DocumentNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  parse,
  print,
} from "graphql";
import { rootNamesOf } from "./composition.ts";
import type { KeptService } from "./schema-history.ts";

/** The texts of a type's or directive's definitions in one schema, and of what is in it, by name. */
type Definition = { readonly head: string[]; readonly members: Map<string, string> };
type Definitions = ReadonlyMap<string, Definition>;

/** Both schemas of a service that has another one now, or was added or removed. */
type Changed = { readonly name: string; readonly before: Definitions; readonly after: Definitions };

/** Whose change it is that something in the common schema is another one: told by its coordinate. */
export class ChangeCauses {
  readonly #changed: readonly Changed[];

  constructor(from: readonly KeptService[], to: readonly KeptService[]) {
    const before = new Map(from.map(({ name, schema }) => [name, schema]));
    const after = new Map(to.map(({ name, schema }) => [name, schema]));
    this.#changed = [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((name) => {
      const [was, is] = [before.get(name), after.get(name)];
      if (was?.digest === is?.digest) return [];
      return [{ name, before: definitionsIn(was?.sdl), after: definitionsIn(is?.sdl) }];
    });
  }

  /** Services that changed the element itself, or else its type; empty when none did. */
  of(coordinate: string): string[] {
    const [, name = "", member] = /^(@?\w+)(?:\.(\w+))?/.exec(coordinate) ?? [];
    const by = (differs: (was: Definition | undefined, is: Definition | undefined) => boolean) =>
      this.#changed.flatMap((service) =>
        differs(service.before.get(name), service.after.get(name)) ? [service.name] : [],
      );
    const own =
      member === undefined
        ? by((was, is) => was?.head.join() !== is?.head.join())
        : by((was, is) => was?.members.get(member) !== is?.members.get(member));
    return own.length > 0 ? own : by((was, is) => textOf(was) !== textOf(is));
  }
}

function textOf(definition: Definition | undefined): string {
  return definition === undefined ? "" : JSON.stringify([definition.head, ...definition.members]);
}

type Members = {
  readonly fields?: readonly (FieldDefinitionNode | InputValueDefinitionNode)[] | undefined;
  readonly values?: readonly EnumValueDefinitionNode[] | undefined;
};

const withoutMembers: Members = { fields: [], values: [] };

/** What was composed can be parsed. */
function definitionsIn(sdl: string | undefined): Definitions {
  const definitions = new Map<string, Definition>();
  if (sdl === undefined) return definitions;
  const document: DocumentNode = parse(sdl, { noLocation: true });
  const rootNames = rootNamesOf(document);
  for (const node of document.definitions) {
    if (!("name" in node) || node.name === undefined) continue;
    const directive = node.kind === Kind.DIRECTIVE_DEFINITION;
    const name = directive ? `@${node.name.value}` : (rootNames.get(node.name.value) ?? node.name.value);
    const definition = definitions.get(name) ?? { head: [], members: new Map<string, string>() };
    definitions.set(name, definition);
    const { fields, values, ...head }: Members & typeof node = node;
    for (const member of fields ?? values ?? []) definition.members.set(member.name.value, print(member));
    definition.head.push(print({ ...head, ...withoutMembers } as typeof node));
  }
  return definitions;
}
