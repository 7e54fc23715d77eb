import type { Deviation } from "./federation-contract.ts";

const everyType = [
  ...["Found", "Media", "Named", "Node", "Subject"],
  ...[
    "Book",
    "Dimensions",
    "Film",
    "Geo",
    "Maker",
    "Mutation",
    "Person",
    "Product",
    "Query",
    "Review",
    "Shelf",
  ],
  ...["Subscription", "Tick", "Warehouse"],
];

/** `@graphql-tools/federation` 4.5.2 with `@graphql-tools/delegate` 12.2.1. */
export const stitchingDeviations: readonly Deviation[] = [
  {
    reason: "the library asks for nothing but __typename where the fields of an interface object are wanted",
    cases: [
      "@interfaceObject: adds fields to every implementation",
      "@interfaceObject: applies fragments on implementations that the object's service does not have",
      "@interfaceObject: finds the concrete types of interface objects below another",
      "finds the type of an event that is an interface",
      "an error inside what a join answers keeps the rest of its path",
    ],
    leaveOut: [
      ...["Media", "Book", "Film"].flatMap((type) => [`${type}.reviews`, `${type}.ratings`]),
      "Query.topMedia",
      "Review.media",
    ],
  },
  {
    reason:
      "the library loses the index of an entity in a list, or names the first place of several, and joins errors of one null",
    cases: [
      "errors of joined fields stand at every place of the entity",
      "errors of joins over nested lists keep their indexes",
      "null propagates from a join up to the data",
      "an entity whose lookup fails has that error at its fields, and the others their values",
    ],
    leaveOut: [
      ...["flaky", "strict", "stars", "count", "matrix"].map((field) => `Product.${field}`),
      ...["email", "badge", "mood", "mean"].map((field) => `Person.${field}`),
      ...["body", "stars", "verdict", "replies"].map((field) => `Review.${field}`),
      ...[
        "Media.year",
        "Book.year",
        "Book.pages",
        "Film.year",
        "Film.minutes",
        "Warehouse.alarms",
        "Shelf.label",
      ],
    ],
  },
  {
    reason: "the library drops a field that was selected twice when one of the two has a condition",
    cases: ["a field that is left out once and selected once is selected"],
    leaveOut: ["@skip"],
  },
  {
    reason: "the library adds keys without looking for aliases of their name",
    cases: ["keeps aliases apart that are the name of another field"],
  },
  {
    reason: "the library loses fields that require others when more is selected, and never answers for some",
    cases: [
      "joins an entity by a compound key with a nested part",
      "@requires: does so several lists below the root",
    ],
    leaveOut: ["Product.duty", "Product.origin", "Product.headline", "Product.shippingCost"],
  },
  {
    reason: "the library finds nobody for an interface's field that another service has of an implementation",
    cases: ["an interface's field comes from different services for different implementations"],
  },
  {
    reason: "the library takes what is provided from its owner all the same",
    cases: ["@provides: takes the field from where it is provided"],
  },
  {
    reason: "the library's loaders remember an entity from before a mutation",
    cases: ["runs mutations one after the other over several services, with their joins"],
    leaveOut: ["Mutation.restock"],
  },
  {
    reason:
      "the library rewrites fragments on members of abstract types into invalid ones, forgets to join below them, or never ends",
    cases: [],
    leaveOut: [
      ...["Person.finds", "Person.likes", "Query.node", "Query.search", "Review.subject"],
      ...everyType.map((type) => `... on ${type}`),
    ],
  },
  {
    reason:
      "the library does not ask for an object of which a fragment wants nothing but __typename, or sends an empty document",
    cases: [],
    leaveOut: ["..."],
  },
];

/** `@graphql-hive/router-query-planner` 0.0.38. What it cannot plan, the stitching engine answers. */
export const plannedDeviations: readonly Deviation[] = [
  {
    reason:
      "the planner finds no plan where one service gives an entity both another key and what a field requires",
    cases: ["@requires: does so several lists below the root"],
    leaveOut: ["Product.headline"],
  },
  {
    reason:
      "the planner takes the key of an interface object for given that it did not ask for, where its fields are wanted of one type",
    cases: ["@interfaceObject: finds the concrete types of interface objects below another"],
    leaveOut: ["Book.ratings", "Book.reviews", "Film.ratings", "Film.reviews"],
  },
];
