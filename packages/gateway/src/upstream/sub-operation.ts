/** An operation as a service gets it: made once with its plan, sent often. */
export type SubOperation = {
  readonly kind: "query" | "mutation" | "subscription";
  readonly query: string;
  readonly operationName?: string;
  /** The start of the JSON body, up to the variables. */
  readonly head: string;
};

/** Makes the operation of a document; `operationName` is for one that holds several. */
export function subOperation(
  kind: SubOperation["kind"],
  query: string,
  operationName?: string,
): SubOperation {
  const named = operationName === undefined ? {} : { operationName };
  return { kind, query, ...named, head: JSON.stringify({ query, ...named }).slice(0, -1) };
}

/** Variables of a request: a record, or its JSON. */
export type SubVariables = Readonly<Record<string, unknown>> | string;

/** The JSON body of a request (GraphQL over HTTP, "Request parameters"). */
export function bodyOf({ head }: SubOperation, variables?: SubVariables): string {
  if (variables === undefined) return `${head}}`;
  return `${head},"variables":${typeof variables === "string" ? variables : JSON.stringify(variables)}}`;
}
