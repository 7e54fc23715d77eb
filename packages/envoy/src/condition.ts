import type { PolicySchema } from "@catalyst/xds/api/config/rbac/v3/rbac_pb";
import type { Init } from "./message.ts";

/** An expression of CEL as Envoy's RBAC takes it: parsed. */
export type Condition = NonNullable<Init<typeof PolicySchema>["condition"]>;

/** A variable, such as `metadata` or `request`. */
export const variable = (name: string): Condition => ({ exprKind: { case: "identExpr", value: { name } } });

/** A text as it is. */
export const text = (value: string): Condition => ({
  exprKind: { case: "constExpr", value: { constantKind: { case: "stringValue", value } } },
});

/** `operand.field` */
export const of = (operand: Condition, field: string): Condition => ({
  exprKind: { case: "selectExpr", value: { operand, field } },
});

/** `has(operand.field)` */
export const has = (operand: Condition, field: string): Condition => ({
  exprKind: { case: "selectExpr", value: { operand, field, testOnly: true } },
});

/** `map[key]`; where it has no such key, whatever depends on that is not known, and no condition holds. */
export const at = (map: Condition, key: string): Condition => call("_[_]", map, text(key));

/** A function or an operator by its name in CEL, such as `_||_` or `@in`. */
export function call(name: string, ...args: Condition[]): Condition {
  return { exprKind: { case: "callExpr", value: { function: name, args } } };
}
