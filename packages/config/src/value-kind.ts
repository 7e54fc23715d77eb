import type { z } from "zod";
import { ConfigError } from "./errors.ts";
import { peel } from "./peel.ts";

/** How a value is written as the text of a flag or variable: as it is, or (`json`) as JSON. */
export type ValueKind = "string" | "number" | "boolean" | "json";

/** The kind of a schema: alternatives that are written differently make it `json`. */
export function textKind(schema: z.core.$ZodType): ValueKind {
  const { inner } = peel(schema);
  const { def } = inner._zod;
  switch (def.type) {
    case "string":
    case "template_literal":
      return "string";
    case "number":
    case "int":
      return "number";
    case "boolean":
      return "boolean";
    case "enum":
      return sameKind(Object.values((def as z.core.$ZodEnumDef).entries).map((value) => typeof value));
    case "literal":
      return sameKind(
        (def as z.core.$ZodLiteralDef<z.core.util.Literal>).values.map((value) => typeof value),
      );
    case "union":
      return sameKind((def as z.core.$ZodUnionDef).options.map(textKind));
    default:
      return "json";
  }
}

function sameKind(kinds: readonly string[]): ValueKind {
  const first = kinds[0];
  const same = kinds.every((kind) => kind === first);
  return same && (first === "string" || first === "number" || first === "boolean") ? first : "json";
}

/**
 * Throws {@link ConfigError} `schema_unsupported` unless every value of the schema is plain JSON and comes out of
 * it as it went in: only then is an effective configuration a configuration file too.
 */
export function assertJson(schema: z.core.$ZodType, key: string): void {
  for (const part of parts(peel(schema).inner, key)) assertJson(part, key);
}

function parts(schema: z.core.$ZodType, key: string): readonly z.core.$ZodType[] {
  const { def } = schema._zod;
  switch (def.type) {
    case "string":
    case "template_literal":
    case "number":
    case "int":
    case "boolean":
    case "enum":
    case "literal":
    case "null":
    case "any":
    case "unknown":
      return [];
    case "nullable":
      return [(def as z.core.$ZodNullableDef).innerType];
    case "array":
      return [(def as z.core.$ZodArrayDef).element];
    case "union":
      return (def as z.core.$ZodUnionDef).options;
    case "tuple":
      return (def as z.core.$ZodTupleDef).items;
    case "record":
      return [(def as z.core.$ZodRecordDef).valueType];
    case "object":
      return objectParts(def as z.core.$ZodObjectDef, key);
    default:
      throw new ConfigError(
        "schema_unsupported",
        key,
        `a ${def.type} is not a JSON value that stays as it is`,
      );
  }
}

function objectParts(def: z.core.$ZodObjectDef, key: string): readonly z.core.$ZodType[] {
  if (def.catchall?._zod.def.type !== "never") {
    throw new ConfigError(
      "schema_unsupported",
      key,
      "an object is a strictObject, so that unknown keys are refused",
    );
  }
  return Object.values(def.shape);
}
