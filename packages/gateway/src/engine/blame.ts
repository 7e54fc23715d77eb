import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql";

/** The services that define a field of a type. */
export type OwnersOf = (typeName: string, fieldName: string) => readonly string[];

/** A service and the part of the schema that it answers for. */
export type ServiceFields = { readonly name: string; readonly schema: GraphQLSchema };

const nullForNonNull = /^Cannot return null for non-nullable field/;

/**
 * Names the service in errors that its values caused: null where its schema has none, text for a number, and so on.
 * The executor finds these, and knows the field but not whose it is. Other errors stay as they are.
 */
export function blameServices(
  result: ExecutionResult,
  schema: GraphQLSchema,
  document: DocumentNode,
  ownersOf: OwnersOf,
): ExecutionResult {
  if (result.errors === undefined) return result;
  const errors = result.errors.map((error) => {
    const [node] = error.nodes ?? [];
    if (!isValueFault(error) || node?.kind !== "Field") return error;
    const owners = ownersOf(parentTypeOf(node, schema, document) ?? "", node.name.value);
    const subject = owners.map((name) => JSON.stringify(name)).join(" or ");
    return new GraphQLError(
      `Service ${subject} answered with what its schema does not allow: ${error.message}`,
      {
        nodes: error.nodes ?? null,
        path: error.path ?? null,
        extensions: {
          code: "SERVICE_BAD_RESPONSE",
          ...(owners.length === 1 ? { service: owners[0] } : { services: owners }),
        },
      },
    );
  });
  return { ...result, errors };
}

/** Errors of services carry their name already; other exceptions are faults of the gateway itself. */
function isValueFault({ extensions, path, originalError }: GraphQLError): boolean {
  if (path === undefined || "service" in extensions || "services" in extensions) return false;
  if (originalError === undefined || originalError === null) return true;
  return originalError instanceof GraphQLError || nullForNonNull.test(originalError.message);
}

function parentTypeOf(field: FieldNode, schema: GraphQLSchema, document: DocumentNode): string | undefined {
  const types = new TypeInfo(schema);
  let name: string | undefined;
  const visitor = {
    Field(node: FieldNode) {
      if (node === field) name = types.getParentType()?.name;
    },
  };
  visit(document, visitWithTypeInfo(types, visitor));
  return name;
}

/** The services that define each field, by `Type.field`; root types under their usual names. */
export function ownersOfFields(owned: readonly ServiceFields[]): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  for (const { schema, name } of owned) {
    const roots = new Map([
      [schema.getQueryType(), "Query"],
      [schema.getMutationType(), "Mutation"],
      [schema.getSubscriptionType(), "Subscription"],
    ]);
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) && !isInterfaceType(type)) continue;
      const typeName = (isObjectType(type) ? roots.get(type) : undefined) ?? type.name;
      for (const field of Object.keys(type.getFields())) {
        const known = owners.get(`${typeName}.${field}`) ?? [];
        if (!known.includes(name)) known.push(name);
        owners.set(`${typeName}.${field}`, known);
      }
    }
  }
  return owners;
}
