/** The thread that answers one question about schemas, which would hold requests up. */
import { parentPort, workerData } from "node:worker_threads";
import { GraphQLError } from "graphql";
import { compareSchemas } from "./comparison.ts";
import { originOf } from "./field-origin.ts";
import type { InspectionAnswer, InspectionQuestion } from "./inspection-thread.ts";

parentPort?.postMessage(answer(workerData));

function answer(question: InspectionQuestion): InspectionAnswer {
  try {
    const value =
      question.kind === "compare"
        ? compareSchemas(question.from, question.to)
        : originOf(question.supergraphSdl, question.coordinate);
    return { ok: true, value };
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [place] = error instanceof GraphQLError ? (error.locations ?? []) : [];
  return place === undefined ? error.message : `${place.line}:${place.column}: ${error.message}`;
}
