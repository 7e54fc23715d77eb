import { z } from "zod";

/** A schema without what only says whether a value must be given. */
export type Peeled = {
  readonly inner: z.core.$ZodType;
  /** All schemas from the outermost to the inner one: metadata may hang on any of them. */
  readonly layers: readonly z.core.$ZodType[];
  readonly presence: "required" | "optional" | "default";
  readonly fallback: unknown;
};

/** Takes `optional`, `default`, `prefault` and `readonly` off a schema. Any default wins, as in zod. */
export function peel(schema: z.core.$ZodType): Peeled {
  const layers: z.core.$ZodType[] = [schema];
  let presence: Peeled["presence"] = "required";
  let fallback: unknown;
  for (let inner = schema; ; layers.push(inner)) {
    const { def } = inner._zod;
    switch (def.type) {
      case "optional":
        if (presence === "required") presence = "optional";
        break;
      case "default":
      case "prefault":
        if (presence !== "default") fallback = (def as z.core.$ZodDefaultDef).defaultValue;
        presence = "default";
        break;
      case "readonly":
        break;
      default:
        return { inner, layers, presence, fallback };
    }
    inner = (def as z.core.$ZodOptionalDef).innerType;
  }
}

/** The nearest description, zod's own metadata included. */
export function describedAs(peeled: Peeled): string {
  for (const layer of peeled.layers) {
    const description = z.globalRegistry.get(layer)?.description;
    if (description !== undefined) return description;
  }
  return "";
}
