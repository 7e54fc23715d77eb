import {
  type GraphQLSchema,
  type GraphQLType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";

/**
 * Which part of the schema a selection of an introspection stands on: `every` type, field or argument once, the types
 * that these `refer` to, or what the client chose or walked to, which may be the largest there is (`any`). `wraps` is
 * how many times `ofType` was asked of the type; Infinity for a type that has no wrapper.
 */
export type Reach = { readonly of: "every" | "referred" | "any"; readonly wraps: number };

type ListSize = { readonly mean: number; readonly most: number };

/** How long the lists are that the introspection of one schema answers with. */
type IntrospectionSizes = {
  /** By the coordinate of the field. */
  readonly lists: ReadonlyMap<string, ListSize>;
  /** The part of the types referred to that has a wrapper more, among those that have as many as the index says. */
  readonly wrapped: readonly number[];
};

const known = new WeakMap<GraphQLSchema, IntrospectionSizes>();

/** Measures the schema, once. */
export function introspectionSizes(schema: GraphQLSchema): IntrospectionSizes {
  let sizes = known.get(schema);
  if (sizes === undefined) {
    sizes = measure(schema);
    known.set(schema, sizes);
  }
  return sizes;
}

/** How many items an introspected field has for each of its parents, and where the selections below it stand. */
export function introspected(
  { lists, wrapped }: IntrospectionSizes,
  coordinate: string,
  { of, wraps }: Reach,
): readonly [items: number, below: Reach] {
  if (coordinate === "__Type.ofType") {
    const part = wrapped[wraps] ?? 0;
    return [of === "any" ? Math.ceil(part) : part, { of, wraps: wraps + 1 }];
  }
  if (coordinate === "__Field.type" || coordinate === "__InputValue.type") {
    return [1, { of: of === "every" ? "referred" : "any", wraps: 0 }];
  }
  const size = lists.get(coordinate);
  const named = { of: "any", wraps: Number.POSITIVE_INFINITY } as const;
  if (size === undefined) return [1, named];
  if (of !== "every") return [size.most, named];
  const walks = coordinate === "__Type.interfaces" || coordinate === "__Type.possibleTypes";
  return [size.mean, walks ? named : { ...named, of }];
}

function measure(schema: GraphQLSchema): IntrospectionSizes {
  const types = Object.values(schema.getTypeMap());
  const directives = schema.getDirectives();
  const withFields = types.filter((type) => isObjectType(type) || isInterfaceType(type));
  const fields = withFields.flatMap((type) => Object.values(type.getFields()));
  const inputs = types.filter(isInputObjectType).map((type) => Object.values(type.getFields()));
  const args = [...fields, ...directives].flatMap((of) => of.args);
  const ofTypes = (counts: readonly number[]): ListSize => listSize(counts, types.length);
  const lists = new Map<string, ListSize>([
    ["__Schema.types", listSize([types.length], 1)],
    ["__Schema.directives", listSize([directives.length], 1)],
    ["__Type.fields", ofTypes(withFields.map((type) => Object.keys(type.getFields()).length))],
    ["__Type.interfaces", ofTypes(withFields.map((type) => type.getInterfaces().length))],
    ["__Type.inputFields", ofTypes(inputs.map(({ length }) => length))],
    ["__Type.enumValues", ofTypes(types.filter(isEnumType).map((type) => type.getValues().length))],
    [
      "__Type.possibleTypes",
      ofTypes(types.filter(isAbstractType).map((type) => schema.getPossibleTypes(type).length)),
    ],
    ["__Field.args", argumentSize(fields)],
    ["__Directive.args", argumentSize(directives)],
  ]);
  const ofFields = wrappedParts(fields.map(({ type }) => type));
  const ofInputs = wrappedParts([...args, ...inputs.flat()].map(({ type }) => type));
  const longer = ofFields.length > ofInputs.length ? ofFields : ofInputs;
  const wrapped = longer.map((_, wraps) => Math.max(ofFields[wraps] ?? 0, ofInputs[wraps] ?? 0));
  return { lists, wrapped };
}

function argumentSize(of: readonly { readonly args: readonly unknown[] }[]): ListSize {
  return listSize(
    of.map(({ args }) => args.length),
    of.length,
  );
}

function listSize(counts: readonly number[], parents: number): ListSize {
  let sum = 0;
  let most = 0;
  for (const count of counts) {
    sum += count;
    most = Math.max(most, count);
  }
  return { mean: sum / Math.max(parents, 1), most };
}

function wrappedParts(types: readonly GraphQLType[]): number[] {
  const parts: number[] = [];
  for (let inner = types; inner.length > 0; ) {
    const next = inner.flatMap((type): GraphQLType[] =>
      isListType(type) || isNonNullType(type) ? [type.ofType] : [],
    );
    if (next.length > 0) parts.push(next.length / inner.length);
    inner = next;
  }
  return parts;
}
