import { type GraphQLParams, parseJson, readParams } from "./graphql-params.ts";

/** The subprotocol of GraphQL over WebSocket that is spoken here, and its close codes. */
export const subprotocol = "graphql-transport-ws";

export const closeCodes = {
  goingAway: 1001,
  invalidMessage: 4400,
  unauthorized: 4401,
  initTimeout: 4408,
  duplicateId: 4409,
  tooManyInits: 4429,
} as const;

/** What a client says. */
export type ClientMessage =
  | { readonly type: "connection_init" | "ping" | "pong" }
  | { readonly type: "subscribe"; readonly id: string; readonly params: GraphQLParams }
  | { readonly type: "complete"; readonly id: string };

/** Reads one message; a sentence says what is wrong with it. */
export function readClientMessage(text: string): ClientMessage | string {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "A message must be a JSON object.";
  }
  const { type, id, payload } = value as Readonly<Record<string, unknown>>;
  switch (type) {
    case "connection_init":
    case "ping":
    case "pong":
      return { type };
    case "complete":
      return isId(id) ? { type, id } : `A message "${type}" needs an "id".`;
    case "subscribe": {
      if (!isId(id)) return `A message "${type}" needs an "id".`;
      const params = readParams(payload);
      return typeof params === "string" ? params : { type, id, params };
    }
    default:
      return `There is no message of the type ${JSON.stringify(type)?.slice(0, 40)}.`;
  }
}

function isId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && id.length <= longestId;
}

/** Operations are known by their ids as long as they run. */
const longestId = 200;
