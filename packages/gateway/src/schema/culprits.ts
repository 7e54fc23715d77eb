import type { SchemaInput, ServiceSchema, ServiceTarget } from "../service.ts";

/** What is wrong, between which services; without names when nobody can tell. */
export type Fault = { readonly services: readonly string[]; readonly message: string };

/** A service that wants to be served. */
export type Candidate = {
  readonly target: ServiceTarget;
  /** Schemas to serve it with, best first: the newest, then the one that is served now. */
  readonly schemas: readonly [ServiceSchema, ...ServiceSchema[]];
  /** 0: served now with its newest schema, 1: served now with an older one, 2: not served now. */
  readonly rank: 0 | 1 | 2;
};

export type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** The best that can be served, and for each service whose newest schema is not: why. */
export type Servable<T> = {
  readonly value: T;
  readonly served: readonly SchemaInput[];
  readonly refused: ReadonlyMap<string, string>;
};

/**
 * Finds the services that can be served together. What is served already goes before what is new, then names in
 * order decide, so equal candidates give an equal answer.
 *
 * When all fit, this is one attempt. Otherwise services are taken out, the least first and those named in the
 * faults before others, until the rest fits; then each is tried again, the first first, which puts back who was
 * taken out without need and finds the reason of who was not. At most two attempts per service taken out and round.
 */
export async function findServable<T>(
  candidates: readonly Candidate[],
  attempt: (services: readonly SchemaInput[]) => Promise<Attempt<T>>,
): Promise<Servable<T>> {
  const ordered = [...candidates].sort(byPrecedence);
  let kept = new Map(ordered.map((c) => [c, c.schemas[0]] as const));
  const out: Candidate[] = [];
  let result = await attempt(inputs(kept));
  while (!result.ok) {
    if (kept.size === 0) throw new RangeError("an attempt without services must succeed");
    for (const candidate of toTakeOut([...kept.keys()], result.faults)) {
      kept.delete(candidate);
      out.push(candidate);
    }
    result = await attempt(inputs(kept));
  }
  let { value } = result;
  const refused = new Map<string, string>();
  let again = out.sort(byPrecedence);
  for (let before = -1; again.length !== before; ) {
    before = again.length;
    const left: Candidate[] = [];
    for (const candidate of again) {
      const readmitted = await readmit(candidate, kept, attempt);
      const { name } = candidate.target;
      if (readmitted.reason === null) refused.delete(name);
      else refused.set(name, readmitted.reason);
      if (readmitted.accepted === null) left.push(candidate);
      else ({ kept, value } = readmitted.accepted);
    }
    again = left;
  }
  return { value, served: inputs(kept), refused };
}

type Kept = Map<Candidate, ServiceSchema>;

async function readmit<T>(
  candidate: Candidate,
  kept: Kept,
  attempt: (services: readonly SchemaInput[]) => Promise<Attempt<T>>,
): Promise<{ reason: string | null; accepted: { kept: Kept; value: T } | null }> {
  let reason: string | null = null;
  for (const schema of candidate.schemas) {
    const tried = new Map([...kept, [candidate, schema] as const]);
    const result = await attempt(inputs(tried));
    if (result.ok) return { reason, accepted: { kept: tried, value: result.value } };
    reason ??= reasonFor(candidate.target.name, result.faults);
  }
  return { reason, accepted: null };
}

/** Services that are faulty by themselves go at once; of a conflict, only the one that has to yield. */
function toTakeOut(kept: readonly Candidate[], faults: readonly Fault[]): Candidate[] {
  const alone = new Set(faults.flatMap(({ services }) => (services.length === 1 ? services : [])));
  const named = new Set(faults.flatMap(({ services }) => services));
  if (faults.length > 0 && faults.every(({ services }) => services.length === 1)) {
    const changed = kept.filter(({ target, rank }) => alone.has(target.name) && rank > 0);
    if (changed.length > 0) return changed;
  }
  const weight = (candidate: Candidate) =>
    (candidate.rank > 0 ? 0 : 2) + (named.has(candidate.target.name) ? 0 : 1);
  const [least] = [...kept].sort((a, b) => weight(a) - weight(b) || byPrecedence(b, a));
  return least === undefined ? [] : [least];
}

function reasonFor(name: string, faults: readonly Fault[]): string {
  const fault = faults.find(({ services }) => services.includes(name)) ?? faults[0];
  if (fault === undefined) return "cannot be served together with the others";
  const others = fault.services.filter((other) => other !== name);
  return others.length === 0 ? fault.message : `conflicts with ${others.join(", ")}: ${fault.message}`;
}

function byPrecedence(a: Candidate, b: Candidate): number {
  return a.rank - b.rank || (a.target.name < b.target.name ? -1 : 1);
}

function inputs(kept: Kept): SchemaInput[] {
  return [...kept]
    .map(([{ target }, schema]) => ({ target, schema }))
    .sort((a, b) => (a.target.name < b.target.name ? -1 : 1));
}
