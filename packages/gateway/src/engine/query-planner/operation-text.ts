import type { Branch } from "./fetch-group.ts";
import type { ResponseShapes } from "./response-shapes.ts";

/** Writes what a service is asked for, and notes the variables in it. */
export class OperationText {
  readonly variables = new Set<string>();

  selection(branch: Branch, shapes: ResponseShapes): string {
    const parts: string[] = [];
    for (const [key, { name, args, variables, below }] of branch.fields) {
      for (const variable of variables) this.variables.add(variable);
      const answered = shapes.keyOf(branch, key);
      const field = `${answered === name ? name : `${answered}: ${name}`}${args}`;
      parts.push(below === null ? field : `${field} ${this.selection(below, shapes)}`);
    }
    for (const [type, inner] of branch.fragments) {
      if (!inner.isEmpty) parts.push(`... on ${type} ${this.selection(inner, shapes)}`);
    }
    return parts.length === 0 ? "{ __typename }" : `{ ${parts.join(" ")} }`;
  }
}
