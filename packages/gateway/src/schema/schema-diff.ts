import type { ChangeImpact } from "@catalyst/rpc";
import {
  type GraphQLArgument,
  type GraphQLDirective,
  type GraphQLEnumType,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLUnionType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isScalarType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  isUnionType,
} from "graphql";
import { fitsAnswers, fitsArguments, valueText } from "./type-compatibility.ts";

/** One difference between two schemas. */
export type Change = {
  readonly impact: ChangeImpact;
  /** GraphQL, "Schema coordinates". */
  readonly coordinate: string;
  /** What became of it, such as "was removed". */
  readonly message: string;
};

type Note = (impact: ChangeImpact, coordinate: string, message: string) => void;

/**
 * What changed between two schemas, as clients see it, in the order of their elements: what GraphQL.js finds breaking
 * or dangerous and, besides, what is safe: additions, descriptions, deprecations, and defaults of input fields.
 */
export function diffSchemas(from: GraphQLSchema, to: GraphQLSchema): Change[] {
  const changes: Change[] = [];
  const note: Note = (impact, coordinate, message) => changes.push({ impact, coordinate, message });
  const types = match(typesOf(from), typesOf(to));
  for (const { name } of types.removed) note("breaking", name, "was removed");
  for (const type of types.added) note("safe", type.name, `was added, ${kindOf(type)}`);
  for (const [before, after] of types.kept) diffType(before, after, note);
  const directives = match(directivesOf(from), directivesOf(to));
  for (const { name } of directives.removed) note("breaking", `@${name}`, "was removed");
  for (const { name } of directives.added) note("safe", `@${name}`, "was added");
  for (const [before, after] of directives.kept) diffDirective(before, after, note);
  return changes;
}

function typesOf(schema: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
}

function directivesOf(schema: GraphQLSchema): GraphQLDirective[] {
  return schema.getDirectives().filter((directive) => !isSpecifiedDirective(directive));
}

function diffType(before: GraphQLNamedType, after: GraphQLNamedType, note: Note): void {
  const { name } = before;
  diffDescription(before, after, name, note);
  if (isObjectType(before) && isObjectType(after)) diffComposite(before, after, note);
  else if (isInterfaceType(before) && isInterfaceType(after)) diffComposite(before, after, note);
  else if (isUnionType(before) && isUnionType(after)) diffUnion(before, after, note);
  else if (isEnumType(before) && isEnumType(after)) diffEnum(before, after, note);
  else if (isInputObjectType(before) && isInputObjectType(after)) diffInput(before, after, note);
  else if (isScalarType(before) && isScalarType(after)) {
    const [was, is] = [before.specifiedByURL ?? "nothing", after.specifiedByURL ?? "nothing"];
    if (was !== is) note("safe", name, `is specified by ${is}, was by ${was}`);
  } else note("breaking", name, `is ${kindOf(after)}, was ${kindOf(before)}`);
}

type Composite = GraphQLObjectType | GraphQLInterfaceType;

function diffComposite(before: Composite, after: Composite, note: Note): void {
  const { name } = before;
  const interfaces = match(before.getInterfaces(), after.getInterfaces());
  for (const each of interfaces.removed) note("breaking", name, `implements ${each.name} no longer`);
  for (const each of interfaces.added) note("dangerous", name, `implements ${each.name} now`);
  const fields = match(Object.values(before.getFields()), Object.values(after.getFields()));
  for (const field of fields.removed) note("breaking", `${name}.${field.name}`, removed(field));
  for (const field of fields.added) note("safe", `${name}.${field.name}`, `was added: ${field.type}`);
  for (const [was, is] of fields.kept) diffField(was, is, `${name}.${was.name}`, note);
}

type Field = GraphQLField<unknown, unknown>;

function diffField(before: Field, after: Field, coordinate: string, note: Note): void {
  if (String(before.type) !== String(after.type)) {
    const impact = fitsAnswers(before.type, after.type) ? "safe" : "breaking";
    note(impact, coordinate, `is ${after.type}, was ${before.type}`);
  }
  diffNotes(before, after, coordinate, note);
  const args = match(before.args, after.args);
  const at = (arg: GraphQLArgument) => `${coordinate}(${arg.name}:)`;
  for (const arg of args.removed) note("breaking", at(arg), removed(arg));
  for (const arg of args.added) {
    if (isRequiredArgument(arg)) note("breaking", at(arg), `was added and has to be given: ${arg.type}`);
    else note("dangerous", at(arg), `was added: ${arg.type}`);
  }
  for (const [was, is] of args.kept) diffInputValue(was, is, at(was), note);
}

/** An argument, or a field of an input. */
function diffInputValue(
  before: GraphQLArgument | GraphQLInputField,
  after: GraphQLArgument | GraphQLInputField,
  coordinate: string,
  note: Note,
): void {
  if (String(before.type) !== String(after.type)) {
    const impact = fitsArguments(before.type, after.type) ? "safe" : "breaking";
    note(impact, coordinate, `is ${after.type}, was ${before.type}`);
  }
  const [was, is] = [valueText(before), valueText(after)];
  // Where it had to be given, nobody leaves it out.
  const impact = was === null && isNonNullType(before.type) ? "safe" : "dangerous";
  if (was !== is) note(impact, coordinate, `has the default ${is ?? "nothing"}, had ${was ?? "nothing"}`);
  diffNotes(before, after, coordinate, note);
}

function diffUnion(before: GraphQLUnionType, after: GraphQLUnionType, note: Note): void {
  const members = match(before.getTypes(), after.getTypes());
  for (const { name } of members.removed) note("breaking", before.name, `can be ${name} no longer`);
  for (const { name } of members.added) note("dangerous", before.name, `can be ${name} now`);
}

function diffEnum(before: GraphQLEnumType, after: GraphQLEnumType, note: Note): void {
  const values = match(before.getValues(), after.getValues());
  const at = (value: { readonly name: string }) => `${before.name}.${value.name}`;
  for (const value of values.removed) note("breaking", at(value), removed(value));
  for (const value of values.added) note("dangerous", at(value), "was added");
  for (const [was, is] of values.kept) diffNotes(was, is, at(was), note);
}

function diffInput(before: GraphQLInputObjectType, after: GraphQLInputObjectType, note: Note): void {
  const { name } = before;
  if (!before.isOneOf && after.isOneOf) note("breaking", name, "takes exactly one of its fields now");
  if (before.isOneOf && !after.isOneOf) note("safe", name, "takes several of its fields now");
  const fields = match(Object.values(before.getFields()), Object.values(after.getFields()));
  const at = (field: GraphQLInputField) => `${name}.${field.name}`;
  for (const field of fields.removed) note("breaking", at(field), removed(field));
  for (const field of fields.added) {
    if (isRequiredInputField(field))
      note("breaking", at(field), `was added and has to be given: ${field.type}`);
    else note("dangerous", at(field), `was added: ${field.type}`);
  }
  for (const [was, is] of fields.kept) diffInputValue(was, is, at(was), note);
}

function diffDirective(before: GraphQLDirective, after: GraphQLDirective, note: Note): void {
  const name = `@${before.name}`;
  diffDescription(before, after, name, note);
  const at = (arg: GraphQLArgument) => `${name}(${arg.name}:)`;
  const args = match(before.args, after.args);
  for (const arg of args.removed) note("breaking", at(arg), removed(arg));
  for (const arg of args.added) {
    if (isRequiredArgument(arg)) note("breaking", at(arg), `was added and has to be given: ${arg.type}`);
    else note("safe", at(arg), `was added: ${arg.type}`);
  }
  for (const [was, is] of args.kept) diffInputValue(was, is, at(was), note);
  if (before.isRepeatable && !after.isRepeatable) note("breaking", name, "can stand once in a place only");
  if (!before.isRepeatable && after.isRepeatable) note("safe", name, "can stand repeatedly in a place");
  for (const place of before.locations) {
    if (!after.locations.includes(place)) note("breaking", name, `can stand on ${place} no longer`);
  }
  for (const place of after.locations) {
    if (!before.locations.includes(place)) note("safe", name, `can stand on ${place} now`);
  }
}

type Described = { readonly description?: string | null | undefined };
type Noted = Described & { readonly deprecationReason?: string | null | undefined };

/** Descriptions and deprecations. */
function diffNotes(before: Noted, after: Noted, coordinate: string, note: Note): void {
  diffDescription(before, after, coordinate, note);
  const [was, is] = [before.deprecationReason ?? null, after.deprecationReason ?? null];
  if (was === is) return;
  if (is === null) note("safe", coordinate, "is deprecated no longer");
  else if (was === null) note("safe", coordinate, `is deprecated: ${is}`);
  else note("safe", coordinate, `is deprecated for another reason: ${is}`);
}

function diffDescription(before: Described, after: Described, coordinate: string, note: Note): void {
  if ((before.description ?? "") !== (after.description ?? ""))
    note("safe", coordinate, "is described otherwise");
}

function removed({ deprecationReason }: Noted): string {
  return typeof deprecationReason === "string" ? "was removed; it was deprecated" : "was removed";
}

type Matched<T> = {
  readonly removed: readonly T[];
  readonly added: readonly T[];
  readonly kept: readonly (readonly [T, T])[];
};

/** Elements of both sides by their names. */
function match<T extends { readonly name: string }>(before: readonly T[], after: readonly T[]): Matched<T> {
  const rest = new Map(after.map((one) => [one.name, one]));
  const removed: T[] = [];
  const kept: [T, T][] = [];
  for (const one of before) {
    const other = rest.get(one.name);
    if (other === undefined) removed.push(one);
    else kept.push([one, other]);
    rest.delete(one.name);
  }
  return { removed, added: [...rest.values()], kept };
}

function kindOf(type: GraphQLNamedType): string {
  if (isObjectType(type)) return "an object";
  if (isInterfaceType(type)) return "an interface";
  if (isUnionType(type)) return "a union";
  if (isEnumType(type)) return "an enum";
  return isInputObjectType(type) ? "an input" : "a scalar";
}
