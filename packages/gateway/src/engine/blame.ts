import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql";
import type { FieldOwners } from "./field-owners.ts";

const nullForNonNull = /^Cannot return null for non-nullable field/;

/**
 * Names the service in errors that its values caused: null where its schema has none, text for a number, and so on.
 * The executor finds these, and knows the field but not whose it is. Other errors stay as they are.
 */
export function blameServices(
  result: ExecutionResult,
  schema: GraphQLSchema,
  document: DocumentNode,
  fieldOwners: FieldOwners,
): ExecutionResult {
  if (result.errors === undefined) return result;
  const errors = result.errors.map((error) => {
    const [node] = error.nodes ?? [];
    if (!isValueFault(error) || node?.kind !== "Field") return error;
    const owners = fieldOwners.of(parentTypeOf(node, schema, document) ?? "", node.name.value);
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
