/** What stands in a log in place of a secret. */
const redacted = "[redacted]";

const secretName = /(?:authorization|cookie|token|secret|password|key)s?$/i;

/** Deeper than this nothing is logged. */
const maxDepth = 6;

/**
 * A copy in which the values of fields with a secret's name are {@link redacted}, at any depth: names that end in
 * authorization, cookie, token, secret, password or key, in any case. Errors are left as they are.
 */
export function redact(fields: object): Record<string, unknown> {
  return redactFields(fields, 0);
}

function redactFields(fields: object, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    result[name] = secretName.test(name) ? redacted : redactValue(value, depth + 1);
  }
  return result;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || value instanceof Error) return value;
  if (depth >= maxDepth) return "[deeper]";
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === "function" ? value : redactFields(value, depth);
}
