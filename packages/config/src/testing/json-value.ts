import fc from "fast-check";
import { z } from "zod";
import { ConfigError } from "../errors.ts";

type Json = z.core.JSONSchema.BaseSchema;

/** Texts that are hard to carry through shells, commas, quotes and JSON. */
const PIECES = [
  ..."a b,=\"'\\{}[]-.:/\n\t@#|`$%é😀\u2028",
  "--",
  "-x",
  "--no-",
  "true",
  "12",
  "null",
  "__proto__",
  "name=",
  "\\n",
  "\\\\",
  "http://h/a,b?c=d",
  "\u0007",
];

const text = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
);

/**
 * Values that a schema accepts, drawn from its JSON Schema and filtered by the schema itself. Throws
 * {@link ConfigError} `schema_unsupported` when it finds hardly any: then the test must bring an arbitrary.
 */
export function jsonValue(schema: z.core.$ZodType, key: string): fc.Arbitrary<unknown> {
  const drawn = fromJsonSchema(z.toJSONSchema(schema, { io: "input" }));
  const accepted = (value: unknown): boolean => z.safeParse(schema, value).success;
  if (!fc.sample(drawn, { numRuns: 300, seed: 1 }).some(accepted)) {
    throw new ConfigError(
      "schema_unsupported",
      key,
      "no valid value was found by chance; give an arbitrary for it",
    );
  }
  return drawn.filter(accepted);
}

function fromJsonSchema(json: Json): fc.Arbitrary<unknown> {
  if (json.examples !== undefined && json.examples.length > 0) {
    return fc.oneof(fc.constantFrom(...json.examples), fromType(json));
  }
  return fromType(json);
}

function fromType(json: Json): fc.Arbitrary<unknown> {
  if (json.const !== undefined) return fc.constant(json.const);
  if (json.enum !== undefined) return fc.constantFrom(...json.enum);
  const forms = json.anyOf ?? json.oneOf;
  if (forms !== undefined) return fc.oneof(...forms.map((form) => fromJsonSchema(form as Json)));
  switch (json.type) {
    case "string":
      return fromString(json);
    case "integer":
      return fc.integer({
        min: Math.max(json.minimum ?? -1e9, -1e9),
        max: Math.min(json.maximum ?? 1e9, 1e9),
      });
    case "number":
      return fc
        .double({ min: json.minimum ?? -1e30, max: json.maximum ?? 1e30, noNaN: true })
        .map((number) => (number === 0 ? 0 : number));
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(fromJsonSchema((json.items ?? {}) as Json), {
        minLength: json.minItems ?? 0,
        maxLength: json.maxItems ?? (json.minItems ?? 0) + 4,
      });
    case "object":
      return fromObject(json);
    default:
      return fc
        .jsonValue({ maxDepth: 2 })
        .map((value) => JSON.parse(JSON.stringify(value).replaceAll("-0", "0")));
  }
}

function fromString(json: Json): fc.Arbitrary<string> {
  switch (json.format) {
    case "uri":
      return fc.webUrl({ validSchemes: ["http", "https"], withQueryParameters: true, withFragments: true });
    case "hostname":
      return fc.domain();
    case "ipv4":
      return fc.ipV4();
    case "ipv6":
      return fc.ipV6();
    case "email":
      return fc.emailAddress();
    case "uuid":
      return fc.uuid();
  }
  const pattern =
    json.pattern ?? json.allOf?.map((part) => (part as Json).pattern).find((found) => found !== undefined);
  if (pattern === undefined) return text;
  return fromPattern(pattern) ?? fromPattern(pattern.replace(/\(\?<?[=!][^()]*\)/g, "")) ?? text;
}

/** Texts of a form; undefined for what fast-check cannot make, above all forms that look ahead. */
function fromPattern(pattern: string): fc.Arbitrary<string> | undefined {
  try {
    return fc.stringMatching(new RegExp(pattern), { maxLength: 40 });
  } catch {
    return undefined;
  }
}

function fromObject(json: Json): fc.Arbitrary<unknown> {
  const required = new Set(json.required);
  const entries = Object.entries(json.properties ?? {}).map(([name, part]) => {
    const value = fromJsonSchema(part as Json);
    return [name, required.has(name) ? value : fc.option(value, { nil: undefined })] as const;
  });
  const known = fc.record(Object.fromEntries(entries)).map((fields) => JSON.parse(JSON.stringify(fields)));
  if (typeof json.additionalProperties !== "object") return known;
  const names = fromJsonSchema((json.propertyNames ?? { type: "string" }) as Json).filter(
    (name) => name !== "__proto__",
  );
  const more = fc.dictionary(
    names as fc.Arbitrary<string>,
    fromJsonSchema(json.additionalProperties as Json),
    { maxKeys: 3 },
  );
  return fc.tuple(known, more).map(([fields, others]) => ({ ...others, ...fields }));
}
