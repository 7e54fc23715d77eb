/**
 * Files that take the ports and the folder that the documents name, which there are once: one after the other, beside
 * all others.
 */
export const onDefaultPorts = ["test/documentation.test.ts", "test/demo.test.ts"];

/** Files that measure what anything beside them would change, with what it is that they measure. */
export const alone: Readonly<Record<string, string>> = {
  "packages/envoy/test/flood.test.ts": "how many requests an Envoy on one core answers while it is flooded",
  "packages/envoy/test/nodes-revocation.test.ts": "how soon the connections of a revoked node end",
};

export type Schedule = {
  /** Each is a list of files that run one after the other; the lists run beside each other, begun in this order. */
  readonly beside: readonly (readonly string[])[];
  /** Run one after the other when nothing else runs. */
  readonly alone: readonly string[];
};

/** When each file runs. Whole nodes go first: they take longest, and what is short fills the cores at the end. */
export function schedule(integration: readonly string[], unit: readonly string[]): Schedule {
  const all = [...integration, ...unit];
  const first = onDefaultPorts.filter((path) => all.includes(path));
  const rest = all.filter((path) => !(path in alone) && !first.includes(path));
  return {
    beside: [...(first.length > 0 ? [first] : []), ...rest.map((path) => [path])],
    alone: all.filter((path) => path in alone),
  };
}
