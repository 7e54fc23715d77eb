import {
  type ConstDirectiveNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  type UnionTypeDefinitionNode,
} from "graphql";
import { argumentOf, directivesOf, servicesOf } from "../../schema/join-directives.ts";
import { readSelection, type Selection } from "./field-selection.ts";
import { outlineOf, type SupergraphOutline } from "./supergraph-outline.ts";

/** The type of a field: `[Product!]!` is `Product` in one list. */
export type TypeReference = { readonly name: string; readonly lists: number; readonly text: string };

/** A selection that is written in a directive, read when it is needed. */
export type FieldSet = { readonly text: string; readonly selection: Selection };

export type Key = { readonly fields: FieldSet; readonly resolvable: boolean };

/** What one service says of a type. */
export type TypePart = { readonly keys: Key[]; readonly isInterfaceObject: boolean };

/** What one service says of a field. */
export type FieldPart = {
  readonly type: TypeReference;
  /** It is answered only where a key or `@provides` says so. */
  readonly external: boolean;
  readonly requires: FieldSet | null;
  readonly provides: FieldSet | null;
};

type Field = {
  readonly type: TypeReference;
  readonly hasArguments: boolean;
  /** By service; null when every service of the type has the field. */
  readonly parts: ReadonlyMap<string, FieldPart> | null;
  readonly plain: FieldPart;
};

/** An object type, interface or union over all services. */
export type FederatedType = {
  readonly name: string;
  readonly isAbstract: boolean;
  readonly parts: ReadonlyMap<string, TypePart>;
  readonly interfaces: readonly string[];
  readonly fields: () => ReadonlyMap<string, Field>;
};

/** What may be seen of a type at one place besides what its service always answers. */
export type Provided = readonly Selection[];

/** Which service answers for what: a supergraph (join spec v0.3) as it is planned on. */
export class FederatedSchema {
  readonly #types = new Map<string, FederatedType>();
  readonly #outline: SupergraphOutline;
  readonly #services: ReadonlyMap<string, string>;
  /** Object types of an abstract one, over all services. */
  readonly #implementations = new Map<string, Set<string>>();
  /** By service and abstract type, the types that its service answers there with. */
  readonly #members = new Map<string, Set<string>>();
  readonly #references = new Map<string, TypeReference>();
  readonly #hiddenKeys = new Map<string, string>();
  readonly #roots = { query: "Query", mutation: "Mutation", subscription: "Subscription" };

  constructor(supergraphSdl: string) {
    this.#outline = outlineOf(supergraphSdl);
    this.#services = servicesOf(this.#outline);
    for (const node of this.#outline.definitions) {
      if (node.kind === Kind.SCHEMA_DEFINITION) {
        for (const { operation, type } of node.operationTypes) this.#roots[operation] = type.name.value;
      } else if (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION) {
        this.#addType(node);
      } else if (node.kind === Kind.UNION_TYPE_DEFINITION) this.#addUnion(node);
    }
  }

  rootOf(kind: "query" | "mutation" | "subscription"): string {
    return this.#roots[kind];
  }

  type(name: string): FederatedType | undefined {
    return this.#types.get(name);
  }

  /** Whether the service answers with objects of several types where it has this one. */
  isAbstractIn(service: string, name: string): boolean {
    const type = this.#types.get(name);
    return type?.isAbstract === true && type.parts.get(service)?.isInterfaceObject !== true;
  }

  isInterfaceObject(service: string, name: string): boolean {
    return this.#types.get(name)?.parts.get(service)?.isInterfaceObject === true;
  }

  /** The types that a service answers with for an abstract one. */
  membersIn(service: string, abstract: string): ReadonlySet<string> {
    return this.#members.get(`${service} ${abstract}`) ?? noNames;
  }

  /** Whether objects of a type are also of another. */
  isSubtype(name: string, of: string): boolean {
    return name === of || (this.#implementations.get(of)?.has(name) ?? false);
  }

  /** How a service answers a field of a type by itself; null when it does not. */
  resolve(service: string, typeName: string, fieldName: string, provided: Provided): FieldPart | null {
    const part = this.#partOf(service, typeName, fieldName);
    if (part === null || !part.external) return part;
    if (provided.some((selection) => has(selection, fieldName))) return part;
    const keys = this.#types.get(typeName)?.parts.get(service)?.keys ?? [];
    return keys.some(({ fields }) => has(fields.selection, fieldName)) ? part : null;
  }

  /** The same for what is known of any of the types that the service answers with, without anything required. */
  resolveAlike(service: string, typeName: string, fieldName: string, provided: Provided): FieldPart | null {
    const part = this.resolve(service, typeName, fieldName, provided);
    if (part === null || part.requires !== null) return null;
    if (!this.isAbstractIn(service, typeName)) return part;
    for (const member of this.membersIn(service, typeName)) {
      const own = this.resolve(service, member, fieldName, narrowed(provided, member, this));
      if (own === null || own.requires !== null) return null;
    }
    return part;
  }

  /** What is provided below a field, and with it what its service knows there by keys of the type that has the field. */
  providedBelow(
    service: string,
    typeName: string,
    name: string,
    provided: Provided,
    part: FieldPart,
  ): Provided {
    const below = provided.flatMap((selection) => belowField(selection, name));
    for (const { fields } of this.#types.get(typeName)?.parts.get(service)?.keys ?? []) {
      below.push(...belowField(fields.selection, name));
    }
    if (part.provides !== null) below.push(part.provides.selection);
    return below;
  }

  #partOf(service: string, typeName: string, fieldName: string): FieldPart | null {
    const type = this.#types.get(typeName);
    const field = type?.fields().get(fieldName);
    if (type === undefined || field === undefined) return null;
    if (field.parts !== null) return field.parts.get(service) ?? null;
    return type.parts.has(service) ? field.plain : null;
  }

  #addType(node: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode): void {
    const name = node.name.value;
    const isAbstract = node.kind === Kind.INTERFACE_TYPE_DEFINITION;
    const interfaces = (node.interfaces ?? []).map((each) => each.name.value);
    const parts = this.#typeParts(node);
    let read: ReadonlyMap<string, Field> | null = null;
    const fields = () => {
      read ??= new Map(
        this.#outline.fieldsOf(name).map((field) => [field.name.value, this.#field(name, field)] as const),
      );
      return read;
    };
    this.#types.set(name, { name, isAbstract, parts, interfaces, fields });
    if (!isAbstract) for (const each of interfaces) addTo(this.#implementations, each, name);
    for (const directive of directivesOf(node, "join__implements")) {
      const service = this.#serviceOf(directive);
      const implemented = argumentOf(directive, "interface");
      if (service === undefined || implemented === undefined) continue;
      if (isAbstract && parts.get(service)?.isInterfaceObject !== true) continue;
      addTo(this.#members, `${service} ${implemented}`, name);
    }
  }

  #addUnion(node: UnionTypeDefinitionNode): void {
    const name = node.name.value;
    this.#types.set(name, {
      name,
      isAbstract: true,
      parts: this.#typeParts(node),
      interfaces: [],
      fields: () => new Map(),
    });
    for (const member of node.types ?? []) addTo(this.#implementations, name, member.name.value);
    for (const directive of directivesOf(node, "join__unionMember")) {
      const service = this.#serviceOf(directive);
      const member = argumentOf(directive, "member");
      if (service !== undefined && member !== undefined) addTo(this.#members, `${service} ${name}`, member);
    }
  }

  #typeParts(
    node: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | UnionTypeDefinitionNode,
  ): Map<string, TypePart> {
    const parts = new Map<string, TypePart>();
    for (const directive of directivesOf(node, "join__type")) {
      const service = this.#serviceOf(directive);
      if (service === undefined) continue;
      const isInterfaceObject = argumentOf(directive, "isInterfaceObject") === "true";
      const part = parts.get(service) ?? { keys: [], isInterfaceObject };
      parts.set(service, part);
      const key = argumentOf(directive, "key");
      if (key === undefined) continue;
      const resolvable = argumentOf(directive, "resolvable") !== "false";
      part.keys.push({ fields: this.#fieldSet(node.name.value, key), resolvable });
    }
    return parts;
  }

  #field(typeName: string, node: FieldDefinitionNode): Field {
    const type = this.#reference(print(node.type));
    const plain: FieldPart = { type, external: false, requires: null, provides: null };
    const directives = directivesOf(node, "join__field");
    const hasArguments = (node.arguments ?? []).length > 0;
    if (directives.length === 0) return { type, hasArguments, parts: null, plain };
    const parts = new Map<string, FieldPart>();
    for (const directive of directives) {
      const service = this.#serviceOf(directive);
      if (service !== undefined) parts.set(service, this.#fieldPart(typeName, plain, directive));
    }
    return { type, hasArguments, parts, plain };
  }

  #fieldPart(typeName: string, plain: FieldPart, directive: ConstDirectiveNode): FieldPart {
    const [given, requires, provides] = ["type", "requires", "provides"].map((name) =>
      argumentOf(directive, name),
    );
    const type = given === undefined ? plain.type : this.#reference(given);
    const external =
      argumentOf(directive, "external") === "true" || argumentOf(directive, "usedOverridden") === "true";
    if (type === plain.type && !external && requires === undefined && provides === undefined) return plain;
    return {
      type,
      external,
      requires: requires === undefined ? null : this.#fieldSet(typeName, requires),
      provides: provides === undefined ? null : this.#fieldSet(type.name, provides),
    };
  }

  #fieldSet(typeName: string, text: string): FieldSet {
    let selection: Selection | null = null;
    const read = () => {
      const [node] = parse(`{${text}}`, { noLocation: true }).definitions;
      if (node?.kind !== Kind.OPERATION_DEFINITION) return { fields: [], fragments: [] };
      return this.#hide(readSelection(node.selectionSet), typeName);
    };
    return {
      text,
      get selection() {
        selection ??= read();
        return selection;
      },
    };
  }

  /** A field that takes arguments gets a key that clients have not: theirs may have others. */
  #hide({ fields, fragments }: Selection, typeName: string): Selection {
    const type = this.#types.get(typeName);
    return {
      fields: fields.map((field) => {
        const known = type?.fields().get(field.name);
        const key = known?.hasArguments === true ? this.#hiddenKey(field.name + field.args) : field.name;
        const below = field.below === null ? null : this.#hide(field.below, known?.type.name ?? "");
        return { ...field, key, below };
      }),
      fragments: fragments.map((each) => ({
        type: each.type,
        selection: this.#hide(each.selection, each.type),
      })),
    };
  }

  #hiddenKey(written: string): string {
    const known = this.#hiddenKeys.get(written);
    if (known !== undefined) return known;
    const key = `_r${this.#hiddenKeys.size}`;
    this.#hiddenKeys.set(written, key);
    return key;
  }

  #reference(text: string): TypeReference {
    const known = this.#references.get(text);
    if (known !== undefined) return known;
    const reference = { name: text.replace(/[[\]!\s]/g, ""), lists: text.split("[").length - 1, text };
    this.#references.set(text, reference);
    return reference;
  }

  #serviceOf(directive: ConstDirectiveNode): string | undefined {
    const graph = argumentOf(directive, "graph");
    return graph === undefined ? undefined : this.#services.get(graph);
  }
}

/** What is provided of objects of one type. */
export function narrowed(provided: Provided, member: string, schema: FederatedSchema): Provided {
  return provided.flatMap((selection) => [
    selection,
    ...selection.fragments.filter(({ type }) => schema.isSubtype(member, type)).map((each) => each.selection),
  ]);
}

const noNames: ReadonlySet<string> = new Set();

function has({ fields }: Selection, name: string): boolean {
  return fields.some((field) => field.name === name);
}

function belowField({ fields }: Selection, name: string): Selection[] {
  return fields.flatMap((field) => (field.name === name && field.below !== null ? [field.below] : []));
}

function addTo(sets: Map<string, Set<string>>, key: string, name: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([name]));
  else set.add(name);
}
