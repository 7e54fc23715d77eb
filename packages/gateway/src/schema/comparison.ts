import type { ChangeImpact, SchemaDiff } from "@catalyst/rpc";
import { buildSchema, type GraphQLSchema } from "graphql";
import { ChangeCauses } from "./change-causes.ts";
import { buildPublicSchema } from "./composition.ts";
import { diffSchemas } from "./schema-diff.ts";
import type { KeptService } from "./schema-history.ts";

/** One side of a comparison. */
export type Side = {
  /** Null when nothing was served. */
  readonly sdl: string | null;
  /** What it was composed of; null for a schema that was given. */
  readonly services: readonly KeptService[] | null;
};

/** What changed, without the numbers of generations. */
export type Comparison = Omit<SchemaDiff, "from" | "to">;

/** Changes that are told one by one; the rest is counted. */
const mostChanges = 5_000;
/** Tokens of a schema that was given. */
const maxTokens = 2_000_000;

const gravity: Readonly<Record<ChangeImpact, number>> = { breaking: 0, dangerous: 1, safe: 2 };

/** Compares two schemas, and says which services' changes are the cause. Throws what a given schema is wrong in. */
export function compareSchemas(from: Side, to: Side): Comparison {
  const changes = diffSchemas(schemaOf(from), schemaOf(to));
  changes.sort((a, b) => gravity[a.impact] - gravity[b.impact]);
  const counts = { breaking: 0, dangerous: 0, safe: 0 };
  for (const { impact } of changes) counts[impact] += 1;
  const known = from.services !== null && to.services !== null;
  const causes = known ? new ChangeCauses(from.services, to.services) : null;
  return {
    services: known ? changedServices(from.services, to.services) : [],
    counts,
    changes: changes
      .slice(0, mostChanges)
      .map((change) => ({ ...change, services: causes?.of(change.coordinate) ?? [] })),
  };
}

function schemaOf({ sdl, services }: Side): GraphQLSchema {
  if (sdl === null) return buildPublicSchema("scalar Int");
  return services === null ? buildSchema(sdl, { maxTokens }) : buildPublicSchema(sdl);
}

function changedServices(from: readonly KeptService[], to: readonly KeptService[]): SchemaDiff["services"] {
  const before = new Map(from.map(({ name, schema }) => [name, schema.digest]));
  const after = new Map(to.map(({ name, schema }) => [name, schema.digest]));
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names
    .map((name) => ({ name, before: before.get(name) ?? null, after: after.get(name) ?? null }))
    .filter((service) => service.before !== service.after);
}
