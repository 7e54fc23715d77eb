import type { CelExpressionSchema } from "@catalyst/xds/xds-core/type/v3/cel_pb";
import type { Init } from "./message.ts";

/** An expression of CEL as Envoy's matchers take it: parsed. */
export type Condition = NonNullable<NonNullable<Init<typeof CelExpressionSchema>["celExprParsed"]>["expr"]>;

/** A variable, such as `metadata` or `request`. */
export const variable = (name: string): Condition => ({ exprKind: { case: "identExpr", value: { name } } });

/** A text as it is. */
const text = (value: string): Condition => ({
  exprKind: { case: "constExpr", value: { constantKind: { case: "stringValue", value } } },
});

/** `operand.field` */
export const of = (operand: Condition, field: string): Condition => ({
  exprKind: { case: "selectExpr", value: { operand, field } },
});

/** `map[key]`; where it has no such key, whatever depends on that is not known, and no condition holds. */
export const at = (map: Condition, key: string): Condition => call("_[_]", map, text(key));

/** A function or an operator by its name in CEL, such as `_||_` or `@in`. */
export function call(name: string, ...args: Condition[]): Condition {
  return { exprKind: { case: "callExpr", value: { function: name, args } } };
}
