/** Labels of letters, digits and inner hyphens, in lower case, with dots between: `n1.acme.catalyst.internal`. */
export const namePattern =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Whether a value is a name of an organisation, a node or a person, spec/evidence.md §1.1: at most 253 characters. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= 253 && namePattern.test(value);
}

/** Whether `name` is `above` or below it: `n1.acme.internal` is below `acme.internal`. */
export function isWithin(name: string, above: string): boolean {
  return name === above || name.endsWith(`.${above}`);
}
