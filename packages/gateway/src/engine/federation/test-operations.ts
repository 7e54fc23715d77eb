import fc from "fast-check";
import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from "graphql";

/** An operation as a client sends it. */
export type TestOperation = {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
};

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A value as it is written, in a document or in variables. */
type Value =
  | { readonly kind: "constant"; readonly text: string; readonly json: Json }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | { readonly kind: "object"; readonly fields: readonly (readonly [string, Value])[] }
  | {
      readonly kind: "variable";
      readonly type: string;
      readonly fallback: Value | null;
      /** Absent when null. */
      readonly given: Value | null;
    };

type Directive = { readonly name: "skip" | "include"; readonly condition: Value };

type Selection =
  | { readonly kind: "typename"; readonly alias: string | null; readonly directives: readonly Directive[] }
  | {
      readonly kind: "field";
      readonly field: GraphQLField<unknown, unknown>;
      readonly alias: string | null;
      readonly args: readonly (readonly [string, Value])[];
      readonly directives: readonly Directive[];
      readonly selections: readonly Selection[];
    }
  | {
      readonly kind: "fragment";
      readonly on: string | null;
      readonly named: boolean;
      readonly times: number;
      readonly directives: readonly Directive[];
      readonly selections: readonly Selection[];
    };

export type OperationKind = "query" | "mutation" | "subscription";

/**
 * Valid operations over a schema, at random: at most six levels deep. Subscriptions have their one root field.
 */
export function operationsOf(schema: GraphQLSchema, kind: OperationKind): fc.Arbitrary<TestOperation> {
  const root = schema.getRootType(kind as never);
  if (!isObjectType(root)) throw new Error(`The schema has no ${kind}.`);
  const generator = new Generator(schema);
  const selections =
    kind === "subscription" ? generator.oneField(root).map((one) => [one]) : generator.selections(root, 5);
  return selections.map((all) => new Printer(kind, root).operation(all));
}

const condition: fc.Arbitrary<Value> = fc.oneof(
  fc.boolean().map(constant),
  fc.record({
    kind: fc.constant("variable" as const),
    type: fc.constant("Boolean!"),
    fallback: fc.constant(null),
    given: fc.boolean().map(constant),
  }),
  fc.record({
    kind: fc.constant("variable" as const),
    type: fc.constant("Boolean"),
    fallback: fc.boolean().map(constant),
    given: fc.option(fc.boolean().map(constant)),
  }),
);

const someDirectives: fc.Arbitrary<readonly Directive[]> = fc.oneof(
  { weight: 8, arbitrary: fc.constant([]) },
  {
    weight: 2,
    arbitrary: fc.uniqueArray(
      fc.record({ name: fc.constantFrom("skip" as const, "include" as const), condition }),
      { minLength: 1, maxLength: 2, selector: ({ name }) => name },
    ),
  },
);

const alias = fc.option(fc.constantFrom("a", "b", "c"), { freq: 3 });

class Generator {
  readonly #schema: GraphQLSchema;
  readonly #known = new Map<string, fc.Arbitrary<readonly Selection[]>>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /** What may be selected of a type, with so many levels below it. */
  selections(type: GraphQLCompositeType, depth: number): fc.Arbitrary<readonly Selection[]> {
    const key = `${type.name} ${depth}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = fc.array(this.#selection(type, depth), { minLength: 1, maxLength: depth > 3 ? 4 : 3 });
    this.#known.set(key, made);
    return made;
  }

  /** One field without directives, as the root of a subscription must be. */
  oneField(root: GraphQLObjectType): fc.Arbitrary<Selection> {
    const fields = this.#fieldsOf(root).map((field) => this.#field(field, 5));
    return fc.oneof(...fields).map((selection) => ({ ...selection, directives: [] }));
  }

  #selection(type: GraphQLCompositeType, depth: number): fc.Arbitrary<Selection> {
    const typename = fc.record({
      kind: fc.constant("typename" as const),
      alias,
      directives: someDirectives,
    });
    const fields = this.#fieldsOf(type);
    const leaves = fields.filter((field) => !isCompositeType(getNamedType(field.type)));
    const inner = fields.filter((field) => isCompositeType(getNamedType(field.type)));
    const choices: fc.WeightedArbitrary<Selection>[] = [{ weight: 1, arbitrary: typename }];
    if (leaves.length > 0) {
      choices.push({ weight: 3, arbitrary: fc.oneof(...leaves.map((field) => this.#field(field, 0))) });
    }
    if (depth > 0 && inner.length > 0) {
      choices.push({
        weight: 4,
        arbitrary: fc.oneof(...inner.map((field) => this.#field(field, depth - 1))),
      });
    }
    const fragments = depth > 0 ? this.#fragments(type, depth - 1) : [];
    if (fragments.length > 0) {
      choices.push({ weight: isAbstractType(type) ? 4 : 1, arbitrary: fc.oneof(...fragments) });
    }
    return fc.oneof(...choices);
  }

  #fieldsOf(type: GraphQLCompositeType): GraphQLField<unknown, unknown>[] {
    if (isUnionType(type)) return [];
    return Object.values(type.getFields());
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number): fc.Arbitrary<Selection> {
    const type = getNamedType(field.type);
    return fc.record({
      kind: fc.constant("field" as const),
      field: fc.constant(field),
      alias,
      args: entries(field.args.map((argument) => ({ ...argument, value: inputOf(argument.type, 2) }))),
      directives: someDirectives,
      selections: isCompositeType(type) ? this.selections(type, depth) : fc.constant([]),
    });
  }

  #fragments(type: GraphQLCompositeType, depth: number): fc.Arbitrary<Selection>[] {
    const possible = new Set(isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [type]);
    const targets = Object.values(this.#schema.getTypeMap()).filter(
      (other): other is GraphQLCompositeType => {
        if (!isCompositeType(other) || other.name.startsWith("__")) return false;
        const others = isAbstractType(other) ? this.#schema.getPossibleTypes(other) : [other];
        return others.some((one) => possible.has(one as GraphQLObjectType));
      },
    );
    const fragment = (
      on: GraphQLCompositeType | null,
      named: fc.Arbitrary<boolean>,
    ): fc.Arbitrary<Selection> =>
      fc.record({
        kind: fc.constant("fragment" as const),
        on: fc.constant(on?.name ?? null),
        named,
        times: fc.integer({ min: 1, max: 2 }),
        directives: someDirectives,
        selections: this.selections(on ?? type, depth),
      });
    const bare = fragment(null, fc.constant(false));
    return [bare, ...targets.map((target) => fragment(target, fc.boolean()))];
  }
}

type InputField = {
  readonly name: string;
  readonly type: GraphQLInputType;
  readonly defaultValue: unknown;
  readonly value: fc.Arbitrary<Value>;
};

/** A value for each that needs one, and for some that do not. */
function entries(fields: readonly InputField[]): fc.Arbitrary<readonly (readonly [string, Value])[]> {
  const each = fields.map(({ name, type, defaultValue, value }) => {
    const entry = value.map((one) => [name, one] as const);
    return isNonNullType(type) && defaultValue === undefined ? entry : fc.option(entry, { freq: 2 });
  });
  return fc.tuple(...each).map((all) => all.flatMap((entry) => (entry === null ? [] : [entry])));
}

function inputOf(type: GraphQLInputType, depth: number): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: 2, arbitrary: constantOf(type, depth, true) },
    { weight: 1, arbitrary: variableOf(type) },
  );
}

function variableOf(type: GraphQLInputType): fc.Arbitrary<Value> {
  const none = fc.constant(null);
  const given = constantOf(type, 2, false);
  return fc.record<Value & { kind: "variable" }>({
    kind: fc.constant("variable" as const),
    type: fc.constant(String(type)),
    fallback: isNonNullType(type) ? none : fc.option(given, { freq: 2 }),
    given: isNonNullType(type) ? given : fc.option(given, { freq: 3 }),
  });
}

/** A value of the type; with variables somewhere inside, or without any. */
function constantOf(type: GraphQLInputType, depth: number, variables: boolean): fc.Arbitrary<Value> {
  if (!isNonNullType(type)) {
    return fc.oneof(
      { weight: 6, arbitrary: presentOf(type, depth, variables) },
      { weight: 1, arbitrary: fc.constant(constant(null)) },
    );
  }
  return presentOf(type.ofType, depth, variables);
}

function presentOf(type: GraphQLInputType, depth: number, variables: boolean): fc.Arbitrary<Value> {
  const inside = variables
    ? inputOf
    : (inner: GraphQLInputType, left: number) => constantOf(inner, left, false);
  if (isListType(type)) {
    const item: GraphQLInputType = type.ofType;
    const list = fc
      .array(inside(item, depth - 1), { maxLength: 2 })
      .map((items) => ({ kind: "list" as const, items }));
    const bare = isNonNullType(item) ? item.ofType : item;
    return fc.oneof(
      { weight: 3, arbitrary: list },
      { weight: 1, arbitrary: presentOf(bare, depth - 1, false) },
    );
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields())
      .filter((field) => depth > 0 || !isInputObjectType(getNamedType(field.type)))
      .map((field) => ({ ...field, value: inside(field.type, depth - 1) }));
    return entries(fields).map((all) => ({ kind: "object" as const, fields: all }));
  }
  if (isEnumType(type)) {
    return fc
      .constantFrom(...type.getValues())
      .map(({ name }) => ({ kind: "constant", text: name, json: name }));
  }
  return scalars[getNamedType(type).name] ?? fc.constant(constant("text"));
}

/** Values that hit something in the market as often as not. */
const scalars: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  Int: fc.constantFrom(...[0, 1, 2, 3, -1, 2003].map(constant)),
  Float: fc.constantFrom(...[0, 1.5, -2, 1e21].map(constant)),
  Boolean: fc.boolean().map(constant),
  ID: fc.constantFrom(
    ...["p1", "p2", "p3", "p4", "u1", "u2", "u3", "r1", "r2", "b1", "b2", "none"].map(constant),
  ),
  String: fc.constantFrom(...["sku-p1", "sku-p2", "sku-p3", "sku-p4", "a", 'q"\\\n\u2028ü'].map(constant)),
  Day: fc.constantFrom(...["2020-02-29", "1999-12-31"].map(constant)),
  Json: fc.constantFrom(...[1, "x", true, [1, [null]]].map((value) => constant(value as Json)), {
    kind: "object",
    fields: [
      ["a", constant(1)],
      ["b", { kind: "list", items: [constant(null)] }],
    ],
  } as Value),
};

function constant(json: Json): Value {
  return { kind: "constant", text: JSON.stringify(json), json };
}

/** Writes one operation. Names of answers are chosen so that what they stand for never conflicts. */
class Printer {
  readonly #kind: OperationKind;
  readonly #root: GraphQLObjectType;
  readonly #variables: { readonly type: string; readonly given: Json | undefined; readonly text: string }[] =
    [];
  readonly #fragments = new Map<string, string>();
  /** What each name of an answer stands for, anywhere in the operation. */
  readonly #answers = new Map<string, string>();

  constructor(kind: OperationKind, root: GraphQLObjectType) {
    this.#kind = kind;
    this.#root = root;
  }

  operation(selections: readonly Selection[]): TestOperation {
    const body = this.#selections(selections, this.#root.name);
    const definitions = this.#variables.map(({ type }, i) => `$v${i}: ${type}`);
    const fragments = [...this.#fragments].map(([text, name]) => `fragment ${name} ${text}`);
    const head = definitions.length === 0 ? this.#kind : `${this.#kind} (${definitions.join(", ")})`;
    const variables = this.#variables.flatMap(({ given }, i) =>
      given === undefined ? [] : [[`v${i}`, given]],
    );
    return { query: [`${head} ${body}`, ...fragments].join("\n"), variables: Object.fromEntries(variables) };
  }

  #selections(selections: readonly Selection[], parent: string): string {
    return `{ ${selections.map((selection) => this.#selection(selection, parent)).join(" ")} }`;
  }

  #selection(selection: Selection, parent: string): string {
    const directives = selection.directives
      .map(({ name, condition }) => ` @${name}(if: ${this.#value(condition)})`)
      .join("");
    if (selection.kind === "typename")
      return `${this.#named("__typename", selection.alias, "")}${directives}`;
    if (selection.kind === "fragment") return this.#fragment(selection, directives, parent);
    const { field, alias, args } = selection;
    const given = args.map(([name, value]) => `${name}: ${this.#value(value)}`);
    const text = given.length === 0 ? "" : `(${given.join(", ")})`;
    const type = getNamedType(field.type);
    const inner = isCompositeType(type) ? ` ${this.#selections(selection.selections, type.name)}` : "";
    return `${this.#named(field.name, alias, text, String(field.type))}${directives}${inner}`;
  }

  #fragment(
    { on, named, times, selections }: Extract<Selection, { kind: "fragment" }>,
    directives: string,
    parent: string,
  ): string {
    const body = this.#selections(selections, on ?? parent);
    if (!named || on === null) return `...${on === null ? "" : ` on ${on}`}${directives} ${body}`;
    const text = `on ${on} ${body}`;
    const name = this.#fragments.get(text) ?? `F${this.#fragments.size}`;
    this.#fragments.set(text, name);
    return Array.from({ length: times }, () => `...${name}${directives}`).join(" ");
  }

  #named(field: string, alias: string | null, args: string, type = ""): string {
    const meaning = `${field}${args}: ${type}`;
    for (let name = alias ?? field, i = 1; ; i++, name = `${alias ?? field}${i}`) {
      const taken = this.#answers.get(name);
      if (taken !== undefined && taken !== meaning) continue;
      this.#answers.set(name, meaning);
      return `${name === field ? "" : `${name}: `}${field}${args}`;
    }
  }

  #value(value: Value): string {
    if (value.kind !== "variable") return written(value, (inner) => this.#value(inner));
    const type = `${value.type}${value.fallback === null ? "" : ` = ${this.#value(value.fallback)}`}`;
    const given = value.given === null ? undefined : jsonOf(value.given);
    const variable = { type, given, text: `${type} ${JSON.stringify(given)}` };
    const known = this.#variables.findIndex(({ text }) => text === variable.text);
    return `$v${known >= 0 ? known : this.#variables.push(variable) - 1}`;
  }
}

function written(value: Exclude<Value, { kind: "variable" }>, inner: (value: Value) => string): string {
  if (value.kind === "constant") return value.text;
  if (value.kind === "list") return `[${value.items.map(inner).join(", ")}]`;
  return `{${value.fields.map(([name, field]) => `${name}: ${inner(field)}`).join(", ")}}`;
}

function jsonOf(value: Value): Json {
  if (value.kind === "constant") return value.json;
  if (value.kind === "list") return value.items.map(jsonOf);
  if (value.kind === "object")
    return Object.fromEntries(value.fields.map(([name, field]) => [name, jsonOf(field)]));
  throw new Error("A variable has no value of its own.");
}
