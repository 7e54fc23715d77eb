/**
 * Names of fields that some service requires with arguments. The planner takes such a field and the same one without
 * them for one; under keys of their own they stay two.
 */
export function requiredWithArguments(supergraphSdl: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [, fields] of supergraphSdl.matchAll(/\brequires: "((?:[^"\\]|\\.)*)"/g)) {
    for (const [, name] of (fields ?? "").matchAll(/(\w+)\s*\(/g)) if (name !== undefined) names.add(name);
  }
  return names;
}
