import { option, z } from "@catalyst/config";

const second = 1_000;
const minute = 60 * second;
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What bounds the operation of a client before it runs. */
const operationLimits = {
  maxTokens: option(z.int().min(100).max(100_000).default(5_000), {
    description: "Names, signs and values in the document of a client's request.",
    range: "1000 to 20000",
  }),
  maxDepth: option(z.int().min(4).max(256).default(64), {
    description: "Levels of fields in a client's operation, those of fragments included.",
    range: "16 to 100",
  }),
  maxAliases: option(z.int().min(0).max(10_000).default(200), {
    description: "Fields of a client's operation that have an alias, those of fragments included.",
    range: "10 to 1000",
  }),
  maxRootFields: option(z.int().min(1).max(10_000).default(100), {
    description: "Fields that a client's operation asks of the root at a time.",
    range: "10 to 1000",
  }),
  maxDirectives: option(z.int().min(0).max(10_000).default(200), {
    description: "Directives in a client's operation, those of fragments included.",
    range: "10 to 1000",
  }),
  maxCost: option(z.int().min(1).max(1_000_000_000).default(100_000), {
    description:
      "Fields that the answer to a client's operation may have by estimate: those of a list count as often as the list is long.",
    range: "1000 to 1000000",
  }),
  assumedListSize: option(z.int().min(1).max(10_000).default(10), {
    description: "How long a list is by that estimate when no argument such as `first` or `limit` says so.",
    range: "1 to 100",
  }),
  maxBatch: option(z.int().min(0).max(1_000).default(10), {
    description: "Operations that a client may send in one request, as a JSON array; 0 refuses arrays.",
    range: "0 to 50",
  }),
};

const persistedDocuments = z.strictObject({
  path: option(z.string().min(1).optional(), {
    description:
      "Documents that clients ask for by id: a manifest of Relay, Apollo or GraphQL Code Generator, or a folder of manifests and `<id>.graphql` files. Watched for changes.",
  }),
  maxBytes: option(
    z
      .int()
      .min(kibibyte)
      .max(1024 * mebibyte)
      .default(16 * mebibyte),
    {
      description: "Most bytes of the files of persisted documents together; those before stay in force.",
      range: "1 MiB to 64 MiB",
    },
  ),
  required: option(z.boolean().default(false), {
    description: "Refuses every operation that is not among the persisted documents.",
  }),
  automatic: option(z.boolean().default(false), {
    description: "Lets clients register documents by their SHA-256 (automatic persisted queries), in memory.",
  }),
  automaticMaxBytes: option(
    z
      .int()
      .min(64 * kibibyte)
      .max(1024 * mebibyte)
      .default(16 * mebibyte),
    {
      description: "Memory for the documents that clients registered, in bytes; the oldest go first.",
      range: "1 MiB to 256 MiB",
    },
  ),
});

const subscriptions = z.strictObject({
  keepAliveMs: option(
    z
      .int()
      .min(10)
      .max(10 * minute)
      .default(12 * second),
    {
      description: "How often a quiet subscription gives a sign of life, so that no proxy cuts it, in ms.",
      range: "5 s to 60 s",
    },
  ),
  maxBufferedBytes: option(
    z
      .int()
      .min(kibibyte)
      .max(256 * mebibyte)
      .default(mebibyte),
    {
      description: "What may wait for a client that reads slower than its events come, in bytes.",
      range: "64 KiB to 16 MiB",
    },
  ),
  overlapMs: option(z.int().min(0).max(minute).default(100), {
    description:
      "How long the old source of a subscription that changes to a new one must be silent before it is left, in ms.",
    range: "20 ms to 1 s",
  }),
});

const websocket = z.strictObject({
  maxSockets: option(z.int().min(0).max(1_000_000).default(20_000), {
    description: "WebSockets of clients at a time; 0 serves none.",
    range: "1000 to 100000",
  }),
  maxOperations: option(z.int().min(1).max(10_000).default(100), {
    description: "Operations that run on one WebSocket at a time.",
    range: "10 to 1000",
  }),
  initTimeoutMs: option(z.int().min(10).max(minute).default(3_000), {
    description: "How long a client may take to open the protocol on a WebSocket, in ms.",
    range: "1 s to 10 s",
  }),
  origins: option(z.array(z.string().min(1)).default([]), {
    description:
      "Origins of web pages, such as `https://app.example.org`, that may open WebSockets besides pages of the endpoint's own host; `*` allows all.",
  }),
});

const errors = z.strictObject({
  mask: option(z.enum(["internal", "services"]).default("internal"), {
    description:
      "Whose messages clients do not see: those of the gateway's own faults alone, or those of services too.",
  }),
  codes: option(z.array(z.string().min(1)).default(["BAD_USER_INPUT", "FORBIDDEN", "UNAUTHENTICATED"]), {
    description: "Codes in services' errors that clients see although the messages are masked.",
  }),
  extensions: option(z.array(z.string().min(1)).default([]), {
    description: "Other extensions of services' errors that clients see although the messages are masked.",
  }),
});

/** What clients may ask for, and how they are answered: the part of the section that the server reads. */
export const serverOptions = {
  graphiql: option(z.boolean().default(false), {
    description: "Serves GraphiQL, from the package, to browsers that open the endpoint.",
  }),
  introspection: option(z.boolean().default(true), {
    description: "Whether clients may query the schema; GraphiQL needs it.",
  }),
  maxBodyBytes: option(
    z
      .int()
      .min(kibibyte)
      .max(64 * mebibyte)
      .default(mebibyte),
    {
      description: "Longest body of a client's request, and longest message on a WebSocket, in bytes.",
      range: "1 KiB to 64 MiB",
    },
  ),
  bodyTimeoutMs: option(
    z
      .int()
      .min(10)
      .max(10 * minute)
      .default(30 * second),
    {
      description: "How long a client may take to send the body of its request, in ms.",
      range: "5 s to 60 s",
    },
  ),
  ...operationLimits,
  requestTimeoutMs: option(
    z
      .int()
      .min(100)
      .max(60 * minute)
      .default(30 * second),
    {
      description:
        "How long a query or mutation may take as a whole, in ms. Subscriptions have no such limit.",
      range: "100 ms to 1 h",
    },
  ),
  persistedDocuments: persistedDocuments.prefault({}),
  subscriptions: subscriptions.prefault({}),
  websocket: websocket.prefault({}),
  errors: errors.prefault({}),
};
