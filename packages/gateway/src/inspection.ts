import type {
  Decision,
  DiffQuestion,
  GatewayServiceReport,
  OperationPlan,
  PlanView,
  SchemaDiff,
  SchemaRecord,
  ServiceSchemaReport,
} from "@catalyst/rpc";
import { type DocumentNode, GraphQLError, Kind } from "graphql";
import { GatewayError } from "./errors.ts";
import type { Generation, Generations } from "./generation.ts";
import type { Side } from "./schema/comparison.ts";
import { InspectionThread } from "./schema/inspection-thread.ts";
import type { SchemaFeed } from "./schema/schema-feed.ts";
import { type HistoryEntry, recordOf, type SchemaHistory } from "./schema/schema-history.ts";
import { costWith } from "./server/operation-cost.ts";
import { selectOperation } from "./server/operations.ts";
import {
  type PreparationOptions,
  type PreparedDocument,
  PreparedDocuments,
} from "./server/prepared-documents.ts";

export type InspectionParts = {
  readonly generations: Generations;
  readonly history: SchemaHistory;
  /** The limits that clients' documents have. */
  readonly documents: PreparationOptions;
  readonly feed: (service: string) => Pick<SchemaFeed, "given"> | undefined;
  readonly report: (service: string) => GatewayServiceReport | undefined;
  /** Wall time in ms since 1970. */
  readonly now: () => number;
};

/** An operation that somebody wants to know about. */
export type PlanQuestion = {
  readonly document: string;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
};

/** The schema served now: as clients see it, and with which service serves what. Null when nothing is served. */
export type ServedSchema = {
  readonly generation: number;
  readonly sdl: string | null;
  readonly supergraphSdl: string | null;
};

/** What is served, why, and what changed: for people, and never on the path of a request. */
export class Inspection {
  readonly #parts: InspectionParts;
  readonly #thread = new InspectionThread();

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  schema(): ServedSchema {
    const { current, count } = this.#parts.generations;
    return {
      generation: current?.number ?? count,
      sdl: current?.sdl ?? null,
      supergraphSdl: current?.supergraphSdl ?? null,
    };
  }

  /** Throws `service_not_found`. */
  serviceSchema(name: string): ServiceSchemaReport {
    const service = this.#parts.report(name);
    const feed = this.#parts.feed(name);
    if (service === undefined || feed === undefined) {
      const message = `the update in force names no service ${name}`;
      throw new GatewayError("service_not_found", message, { service: name });
    }
    if (feed.given === null) return { service, given: null };
    const { schema, since } = feed.given;
    const { kind, sdl, digest: schemaDigest } = schema;
    return { service, given: { kind, sdl, schemaDigest, since: new Date(since).toISOString() } };
  }

  /** The schemas that are kept, the newest first. */
  history(): SchemaRecord[] {
    return this.#parts.history.entries.map(recordOf);
  }

  /** Throws `generation_unknown`, and `schema_invalid` for a given schema that cannot be read. */
  async diff({ from, to, with: given }: DiffQuestion): Promise<SchemaDiff> {
    const { history } = this.#parts;
    const [newest] = history.entries;
    if (newest === undefined) throw new GatewayError("generation_unknown", "no schema was in force yet");
    if (given !== undefined) {
      const base = from === undefined ? newest : history.get(from);
      const changed = await this.#thread.compare(sideOf(base), { sdl: given, services: null });
      return { from: base.number, to: null, ...changed };
    }
    const after = to === undefined ? newest : history.get(to);
    const before = from === undefined ? this.#before(after) : history.get(from);
    const changed = await this.#thread.compare(before === null ? nothing : sideOf(before), sideOf(after));
    return { from: before?.number ?? null, to: after.number, ...changed };
  }

  /** How the engine would do an operation, or why it would be refused. Throws `generation_unknown` when nothing is served. */
  async plan(question: PlanQuestion): Promise<OperationPlan> {
    using pin = this.#parts.generations.pin();
    if (pin === null) throw new GatewayError("generation_unknown", "nothing is served");
    const { generation } = pin;
    const answer = (errors: readonly GraphQLError[], plan: PlanView | null, cost: number | null) => ({
      generation: generation.number,
      errors: errors.map(toFault),
      plan,
      cost,
    });
    const prepared = this.#prepare(question.document, generation);
    if (prepared.errors.length > 0) return answer(prepared.errors, null, null);
    const { document, operations } = prepared;
    const { operationName, variables } = question;
    const operation = selectOperation(operations, operationName ?? null);
    if (operation instanceof GraphQLError) return answer([operation], null, null);
    const plan = await generation.compiled.explain({ document, operationName, variables });
    if (!("engine" in plan)) return answer(plan, null, null);
    return answer([], plan, costWith(operation.cost, variables ?? {}));
  }

  /** Who serves `Type` or `Type.field`, and why. Throws `coordinate_unknown`. */
  async explainField(coordinate: string): Promise<Decision> {
    const { current } = this.#parts.generations;
    const origin = current === null ? null : await this.#thread.origin(current.supergraphSdl, coordinate);
    if (current === null || origin === null) {
      const message = current === null ? "nothing is served" : `the schema in force has no ${coordinate}`;
      throw new GatewayError("coordinate_unknown", message);
    }
    return {
      question: `who serves ${coordinate}?`,
      asOf: new Date(this.#parts.now()).toISOString(),
      inputs: { generation: current.number, schemaDigest: current.digest },
      ...origin,
    };
  }

  #before(entry: HistoryEntry): HistoryEntry | null {
    return this.#parts.history.entries.find(({ number }) => number < entry.number) ?? null;
  }

  #prepare(source: string, generation: Generation): PreparedDocument {
    try {
      return new PreparedDocuments(this.#parts.documents).prepare(source, generation);
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      return { document: unread, generation: generation.number, errors: [error], operations: [] };
    }
  }
}

const nothing: Side = { sdl: null, services: [] };
const unread: DocumentNode = { kind: Kind.DOCUMENT, definitions: [] };

function sideOf({ schema, services }: HistoryEntry): Side {
  return { sdl: schema?.sdl ?? null, services };
}

function toFault({ message, locations, extensions }: GraphQLError): OperationPlan["errors"][number] {
  const { code } = extensions;
  const places = (locations ?? []).map(({ line, column }) => ({ line, column }));
  return { message, code: typeof code === "string" ? code : null, places };
}
