/** What a client accepts as an answer, of what there is. */
export type Accepted = {
  /** The media type of an answer in one piece; null when it accepts none. */
  readonly single: string | null;
  /** Whether it accepts an event stream by name. */
  readonly stream: boolean;
  /** Whether it asks for a page by name, as browsers do. */
  readonly page: boolean;
};

export const graphqlResponseType = "application/graphql-response+json";
export const jsonType = "application/json";

/** Without a header, and where any type does: what clients from before the other type understand. */
const anything: Accepted = { single: jsonType, stream: false, page: false };

const known = new Map<string, Accepted>();
const mostKnown = 200;
const longestKnown = 300;

/** Reads `Accept` (RFC 9110 §12.5.1). The same few headers come again and again, so the answers are kept. */
export function acceptedBy(header: string | undefined): Accepted {
  if (header === undefined || header === "*/*") return anything;
  const found = known.get(header);
  if (found !== undefined) return found;
  const accepted = readAccept(header);
  if (known.size < mostKnown && header.length <= longestKnown) known.set(header, accepted);
  return accepted;
}

function readAccept(header: string): Accepted {
  const qualities = new Map<string, number>();
  for (const range of header.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    // The first mention of a type counts: a second one would have other parameters, of which we know none.
    if (!qualities.has(type)) qualities.set(type, quality === undefined ? 1 : Number(quality.slice(2)) || 0);
  }
  const by = (...types: string[]): number => {
    const type = types.find((one) => qualities.has(one));
    return type === undefined ? 0 : (qualities.get(type) ?? 0);
  };
  const json = by(jsonType, "application/*", "*/*");
  const response = by(graphqlResponseType);
  // Where both are as good, the one that says more with its status.
  const single = response >= json && response > 0 ? graphqlResponseType : json > 0 ? jsonType : null;
  return { single, stream: by("text/event-stream") > 0, page: by("text/html") > 0 };
}
