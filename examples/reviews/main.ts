// A federation subgraph that joins with another: it adds reviews to the products of examples/products, and a
// review leads back to its product, though neither service knows of the other.
import { parseArgs } from "node:util";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { serveService } from "@catalyst/sdk";
import { GraphQLError, parse } from "graphql";
import { createPubSub, createYoga, filter, pipe } from "graphql-yoga";

const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])

  type Review {
    id: ID!
    rating: Int!
    text: String!
    createdAt: String!
    author: String!
    product: Product!
  }

  # The same entity as in the products service, by its key; the fields here are what this service adds to it.
  type Product @key(fields: "id") {
    id: ID!
    reviews(first: Int! = 10, after: ID): [Review!]!
    "Null without reviews."
    averageRating: Float
  }

  type Query {
    "Oldest first. \`after\` is the id of the last review of the page before; at most 100 at a time."
    reviews(first: Int! = 20, after: ID): [Review!]!
  }

  type Mutation {
    addReview(productId: ID!, author: String!, rating: Int!, text: String!): Review!
  }

  type Subscription {
    "Every new review, or those of one product."
    reviewAdded(productId: ID): Review!
  }
`);

type Review = {
  readonly id: string;
  readonly productId: string;
  readonly author: string;
  readonly rating: number;
  readonly text: string;
  readonly createdAt: string;
};
type Page = { first: number; after?: string | null };
type NewReview = Omit<Review, "id" | "createdAt">;

// Two or three reviews of each of the products p1 to p240, the same at every start.
const authors = ["Ada Archer", "Bo Baker", "Cleo Cole", "Dan Dyer", "Eve Ellis"];
const verdicts = [
  "Broke at once.",
  "Not for me.",
  "Does what it should.",
  "Very good.",
  "Would buy it again.",
];
const reviews = Array.from({ length: 600 }, (_, index): Review => {
  const productId = `p${1 + ((index * 13) % 240)}`;
  const author = authors[Math.floor(index / 3) % authors.length] ?? "";
  const rating = 1 + ((index * 7 + 3) % 5);
  const createdAt = new Date(Date.UTC(2026, 0, 1, index)).toISOString();
  return { id: `r${index + 1}`, productId, author, rating, text: verdicts[rating - 1] ?? "", createdAt };
});
// An index, so that the reviews of a product that the gateway asks for cost a look-up and not a scan.
const byProduct = Map.groupBy(reviews, ({ productId }) => productId);
const events = createPubSub<{ reviewAdded: [Review] }>();

function pageOf(rows: readonly Review[] | undefined, { first, after }: Page): readonly Review[] {
  if (first < 0 || first > 100) throw inputError("first must be from 0 to 100");
  const start = after == null ? 0 : (rows ?? []).findIndex(({ id }) => id === after) + 1;
  if (after != null && start === 0) throw inputError(`there is no review ${after} to start after`);
  return rows?.slice(start, start + first) ?? [];
}

function addReview({ productId, author, rating, text }: NewReview): Review {
  const product = byProduct.get(productId);
  if (product === undefined) throw inputError(`there is no product ${productId}`);
  if (author.length < 1 || author.length > 100) throw inputError("author must have from 1 to 100 characters");
  if (rating < 1 || rating > 5) throw inputError("rating must be from 1 to 5");
  if (text.length > 2_000) throw inputError("text must have at most 2,000 characters");
  const createdAt = new Date().toISOString();
  const review = { id: `r${reviews.length + 1}`, productId, author, rating, text, createdAt };
  reviews.push(review);
  product.push(review);
  events.publish("reviewAdded", review);
  return review;
}

// Errors of this class reach the client with their code; any other is masked, so that nothing internal leaks.
function inputError(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
}

const resolvers = {
  Product: {
    // Without __resolveReference the reference itself, { id }, is the product: all that this service needs.
    reviews: ({ id }: { id: string }, page: Page) => pageOf(byProduct.get(id), page),
    averageRating: ({ id }: { id: string }) => {
      const rows = byProduct.get(id) ?? [];
      return rows.length === 0 ? null : rows.reduce((sum, { rating }) => sum + rating, 0) / rows.length;
    },
  },
  Review: {
    // Only the key: the gateway asks the products service for whatever else the query wants.
    product: ({ productId }: Review) => ({ id: productId }),
  },
  Query: {
    reviews: (_: unknown, page: Page) => pageOf(reviews, page),
  },
  Mutation: {
    addReview: (_: unknown, review: NewReview) => addReview(review),
  },
  Subscription: {
    reviewAdded: {
      subscribe: (_: unknown, { productId }: { productId?: string | null }) =>
        pipe(
          events.subscribe("reviewAdded"),
          filter((added) => productId == null || added.productId === productId),
        ),
      resolve: (review: Review) => review,
    },
  },
};

const { values } = parseArgs({
  options: { port: { type: "string", default: "4002" }, "data-dir": { type: "string" } },
});

await serveService({
  name: "reviews",
  protocol: "graphql",
  port: Number(values.port),
  dataDir: values["data-dir"],
  listener: createYoga({
    schema: buildSubgraphSchema([{ typeDefs, resolvers }]),
    graphiql: false,
    logging: false,
  }),
});
