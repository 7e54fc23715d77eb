/** What a request asks for (GraphQL over HTTP, "Request Parameters"); what it leaves out is null. */
export type GraphQLParams = {
  readonly query: string | null;
  /** Id of a persisted document, in place of `query`. */
  readonly documentId: string | null;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly extensions: Readonly<Record<string, unknown>> | null;
};

/** Reads the parameters of a JSON body or of a message; a sentence says what is wrong with them. */
export function readParams(value: unknown): GraphQLParams | string {
  if (!isRecord(value)) return "The request must be a JSON object.";
  const {
    query = null,
    documentId = null,
    operationName = null,
    variables = null,
    extensions = null,
  } = value;
  if (query !== null && typeof query !== "string") return '"query" must be a string.';
  if (documentId !== null && typeof documentId !== "string") return '"documentId" must be a string.';
  if (operationName !== null && typeof operationName !== "string") return '"operationName" must be a string.';
  if (variables !== null && !isRecord(variables)) return '"variables" must be an object.';
  if (extensions !== null && !isRecord(extensions)) return '"extensions" must be an object.';
  return { query, documentId, operationName, variables, extensions };
}

/** Reads the parameters of a GET request, of which `variables` and `extensions` are JSON. */
export function readQueryParams(search: string): GraphQLParams | string {
  const params = new URLSearchParams(search);
  const found: Record<string, unknown> = {};
  for (const name of ["query", "documentId", "operationName", "variables", "extensions"]) {
    const text = params.get(name);
    if (text === null || (text === "" && name !== "query")) continue;
    if (name !== "variables" && name !== "extensions") {
      found[name] = text;
      continue;
    }
    const value = parseJson(text);
    if (value === undefined) return `"${name}" must be JSON.`;
    found[name] = value;
  }
  return readParams(found);
}

/** The value of a JSON text; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
