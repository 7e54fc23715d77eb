/** An expression of CEL as Envoy takes it: parsed. The same in the two packages of messages that Envoy has for it. */
export type Condition = {
  readonly exprKind:
    | { readonly case: "identExpr"; readonly value: { readonly name: string } }
    | { readonly case: "constExpr"; readonly value: { readonly constantKind: Constant } }
    | {
        readonly case: "selectExpr";
        readonly value: { readonly operand: Condition; readonly field: string };
      }
    | { readonly case: "callExpr"; readonly value: Call };
};

type Call = { readonly target?: Condition; readonly function: string; readonly args: Condition[] };

type Constant =
  | { readonly case: "stringValue"; readonly value: string }
  | { readonly case: "int64Value"; readonly value: bigint };

/** A variable, such as `metadata` or `request`. */
export const variable = (name: string): Condition => ({ exprKind: { case: "identExpr", value: { name } } });

/** A text or a whole number as it is. */
export const constant = (value: string | number): Condition => {
  const constantKind =
    typeof value === "string"
      ? { case: "stringValue" as const, value }
      : { case: "int64Value" as const, value: BigInt(value) };
  return { exprKind: { case: "constExpr", value: { constantKind } } };
};

/** `operand.field` */
export const of = (operand: Condition, field: string): Condition => ({
  exprKind: { case: "selectExpr", value: { operand, field } },
});

/** `map[key]`; where it has no such key, what depends on that is not known, and is no reason for a condition to hold. */
export const at = (map: Condition, key: string): Condition => call("_[_]", map, constant(key));

/** A function or an operator by its name in CEL, such as `_||_` or `@in`. */
export function call(name: string, ...args: Condition[]): Condition {
  return { exprKind: { case: "callExpr", value: { function: name, args } } };
}

/** `target.name(args)` */
export function method(target: Condition, name: string, ...args: Condition[]): Condition {
  return { exprKind: { case: "callExpr", value: { target, function: name, args } } };
}
