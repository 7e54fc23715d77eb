import {
  type ASTNode,
  type ConstDirectiveNode,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from "graphql";

type Defined = {
  astNode?: (ASTNode & { readonly directives?: readonly ConstDirectiveNode[] }) | null | undefined;
};

/**
 * Takes the syntax out of a schema that was built from it, in place. Stitching merges the syntax of equal types in
 * time that grows with the square of their fields, and nothing reads it but what hides the inaccessible: that stays.
 */
export function dropSyntax(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    drop(type);
    type.extensionASTNodes = [];
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        drop(field);
        for (const argument of field.args) drop(argument);
      }
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) drop(field);
    } else if (isEnumType(type)) {
      for (const value of type.getValues()) drop(value);
    }
  }
}

function drop(defined: Defined): void {
  const hidden = defined.astNode?.directives?.some(({ name }) => name.value === "inaccessible");
  if (hidden !== true) defined.astNode = undefined;
}
