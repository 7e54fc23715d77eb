/** A sentence of the specification, and an operation over the market that shows it. */
export type MarketCase = {
  readonly title: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Services that are not asked for it. */
  readonly spares?: readonly string[];
};

/** Apollo federation: entities and directives. */
export const federationCases: readonly MarketCase[] = [
  {
    title: "joins entities by a single key, each time by the key that the next service knows",
    query: "{ reviews(window: {first: 3}) { id product { id sku count warehouse { code city } } } }",
  },
  {
    title: "joins an entity by a compound key with a nested part",
    query: "{ products { id duty } }",
  },
  {
    title: "reaches a service that knows only a third key through one that knows both",
    query: "{ warehouses { keepers { id } } }",
  },
  {
    title: "uses a key that clients do not see",
    query: "{ product(id: 1) { maker { name country } } }",
  },
  {
    title: "gives no representation to a service whose key is not resolvable there",
    query: "{ me { likes { ... on Product { name sku } } } }",
  },
  {
    title: "@requires: fetches what a field depends on, with its arguments, before the field",
    query: "{ shelves { product { shippingCost express: shippingCost(express: true) price } } }",
  },
  {
    title: "@requires: null in what is required reaches the field as null",
    query: "{ product(id: 4) { shippingCost price dimensions { weight } } }",
  },
  {
    title: "@requires: follows a field inside another entity to its service",
    query: "{ products(ids: [1, 3]) { origin maker { country } } }",
  },
  {
    title: "@requires: fetches what the required field itself requires",
    query: "{ products { headline } }",
  },
  {
    title: "@requires: does so several lists below the root",
    query: "{ people { reviews(window: {}) { product { related { headline } } } } }",
  },
  {
    title: "@provides: takes the field from where it is provided",
    query: "{ reviews { product { size } } }",
    spares: ["catalog"],
  },
  {
    title: "@shareable: takes a shared field from the service that is asked anyway",
    query: "{ reviews { author { name } } }",
    spares: ["people"],
  },
  { title: "@shareable: resolves a shared root field once", query: "{ version again: version }" },
  {
    title: "@shareable: reads value types of several services as one",
    query: "{ warehouses { geo { lat lon } } }",
  },
  {
    title: "@override: asks the new owner of a field alone",
    query: "{ products { barcode } }",
  },
  {
    title: "interfaces: finds implementations of several services, and their own fields",
    query:
      "{ me { likes { __typename id ... on Product { name count } ... on Person { badge } ... on Named { name } } } }",
  },
  {
    title: "unions: joins members of several services",
    query:
      "{ person(id: 1) { finds { __typename ... on Product { sku } ... on Person { friends { name } } } } }",
  },
  {
    title: "unions: leaves members out that a fragment on another type excludes",
    query: '{ search(text: "") { ... on Maker { name } ... on Person { badge } } }',
  },
  {
    title: "@interfaceObject: adds fields to every implementation",
    query: "{ media { __typename title ratings ... on Book { pages copies } } }",
  },
  {
    title: "@interfaceObject: finds the concrete type when only the interface's service knows it",
    query: "{ topMedia { __typename id ratings } }",
  },
  {
    title: "@interfaceObject: finds the concrete type also under an alias",
    query: "{ topMedia { kind: __typename } }",
  },
  {
    title: "@interfaceObject: applies fragments on implementations that the object's service does not have",
    query: "{ topMedia { ... on Film { minutes } ... on Book { author { name } copies } } }",
  },
  {
    title: "@interfaceObject: asks for fields that are wanted of several implementations apart",
    query: "{ reviews { media { ... on Film { x: ratings } ... on Book { y: id z: ratings } } } }",
  },
  {
    title: "@interfaceObject: finds the concrete types of interface objects below another",
    query: "{ book(id: 1) { reviews { media { ratings ... on Book { again: ratings } } } } }",
  },
  {
    title: "enums: output values of one service alone reach clients",
    query: "{ people { mood } reviews { verdict } }",
  },
  {
    title: "inputs: only what every service knows is sent, with its defaults",
    query: "{ product(id: 2) { stockEcho(window: {}) reviews(window: {offset: 0}) { id } } }",
  },
  {
    title: "answers from plain services beside subgraphs",
    query: '{ now(zone: "CET") { zone } cities }',
  },
  {
    title: "runs mutations one after the other over several services, with their joins",
    query: `mutation {
      one: restock(sku: "sku-p1") { count name }
      two: rename(id: "p1", name: "Hammer") { name count }
      zone: setZone(zone: "CET") { zone }
      three: restock(sku: "sku-p1", by: 5) { count reviews { stars } }
      four: rate(review: "r1", stars: 2) { stars product { count } }
    }`,
  },
  {
    title: "goes on with mutations after one that failed",
    query: 'mutation { rate(review: "r9", stars: 1) { id } rename(id: "p2", name: "Cord") { name count } }',
  },
  {
    title: "joins entities and abstract types into every event of a subscription",
    query:
      "subscription { reviewed(first: 3) { id product { name } subject { __typename ... on Named { name } } } }",
  },
  {
    title: "finds the type of an event that is an interface",
    query: "subscription { released { __typename title ratings ... on Book { copies } } }",
  },
  { title: "streams from plain services", query: "subscription { ticks { at } }" },
];

/** GraphQL (October 2021), section 6: execution, errors and null. */
export const executionCases: readonly MarketCase[] = [
  {
    title: "keeps the order of fields as they are selected, whichever service answers first",
    query: "{ b: products { count name reviews { id } id } a: now { at } c: me { reviews { id } name id } }",
  },
  {
    title: "answers __typename at every level",
    query: "{ __typename a: __typename me { t: __typename __typename } }",
  },
  {
    title: "answers __typename at the root of a mutation",
    query: 'mutation { __typename setZone(zone: "a") { __typename } }',
  },
  {
    title: "answers introspection beside data",
    query: '{ __schema { queryType { name } } me { name } __type(name: "Size") { kind } }',
  },
  {
    title: "keeps aliases of one field with different arguments apart",
    query:
      "{ product(id: 1) { name loud: name(upper: true) eur: price usd: price(currency: USD) a: reviews(window: {first: 1}) { id } b: reviews(window: {offset: 1}) { id } } }",
  },
  {
    title: "keeps aliases apart that are the name of another field",
    query: "{ product(id: 1) { id: name name: id sku: count count: sku } }",
  },
  {
    title: "merges selections of one field, over fragments too",
    query:
      "query { me { friends { name } ...F friends { badge: name } } } fragment F on Person { friends { id reviews { id } } }",
  },
  {
    title: "applies fragments on interfaces and unions inside each other",
    query:
      "query { me { likes { ...N } finds { ...N ... on Found { ... on Person { name } } } } } fragment N on Node { id ... on Named { name ...P } } fragment P on Product { sku size }",
  },
  {
    title: "uses a named fragment as often as it is spread",
    query:
      "query { a: product(id: 1) { ...F related { ...F } } me { reviews { product { ...F } } } } fragment F on Product { name count }",
  },
  {
    title: "passes variables, their defaults and null",
    query:
      'query ($a: Int = 3, $b: Int, $c: Probe = {text: "d"}, $d: Int) { product(id: 1) { x: echo(probe: {int: $a, list: [1, 2]}) y: echo(probe: {int: $b}) z: echo(probe: $c) w: stockEcho(probe: {int: $d}) } }',
    variables: { b: null },
  },
  {
    title: "leaves arguments out whose variables are absent, so that their own defaults hold",
    query:
      "query ($p: Probe, $w: Window, $s: [Size!]) { product(id: 1) { echo(probe: $p, sizes: $s) stockEcho(window: $w) } }",
  },
  {
    title: "makes lists of single values, also in variables and inside inputs",
    query:
      "query ($s: [Size!], $i: [[ID]]) { product(id: 1) { a: echo(sizes: LARGE) b: echo(sizes: $s, probe: {list: 4, ids: $i}) } products(ids: 2) { id } }",
    variables: { s: "SMALL", i: "x" },
  },
  {
    title: "passes input objects with variables inside, nested and in lists",
    query:
      "query ($n: Int!, $t: String, $e: Size) { product(id: 1) { echo(probe: {int: $n, nested: {text: $t, size: $e, list: [$n, 2]}}) stockEcho(probe: {nested: {nested: {int: $n}}}) } }",
    variables: { n: 9, e: "LARGE" },
  },
  {
    title: "passes custom scalars as they are written",
    query:
      "query ($j: Json, $d: Day) { product(id: 1) { echo(any: {a: [1, $j], b: null}, probe: {day: $d}) released } echo(any: $j) }",
    variables: { j: { x: [true, null, { y: 1.5 }] }, d: "2024-02-29" },
  },
  {
    title: "passes text with characters that documents escape",
    query:
      'query ($t: String) { product(id: 1) { a: echo(probe: {text: "q\\"\\\\\\n\\u2028ü"}) b: echo(probe: {text: $t}) c: echo(probe: {text: """block "quoted" text"""}) } }',
    variables: { t: 'q"\\\n\u2028ü' },
  },
  {
    title: "@skip and @include leave fields out, by literals and by variables",
    query:
      "query ($t: Boolean!, $f: Boolean!, $d: Boolean = true) { me { id @skip(if: $t) name @include(if: $t) badge @include(if: $f) mood @skip(if: $d) email @include(if: true) born @skip(if: true) } }",
    variables: { t: true, f: false },
  },
  {
    title: "@skip wins over @include on one field",
    query: "query ($t: Boolean!) { me { id @skip(if: $t) @include(if: $t) name } }",
    variables: { t: true },
  },
  {
    title: "@skip and @include on fragments leave all of them out",
    query:
      "query ($t: Boolean!) { products { id ... @skip(if: $t) { count } ...F @include(if: $t) ... on Product @include(if: $t) { name } } } fragment F on Product { barcode }",
    variables: { t: true },
  },
  {
    title: "a field that is left out once and selected once is selected",
    query: "query ($t: Boolean!) { me { name @skip(if: $t) name } now { at @skip(if: $t) at } }",
    variables: { t: true },
  },
  {
    title: "an object of which everything is left out is an empty object",
    query:
      "query ($t: Boolean!) { products { name @skip(if: $t) count @skip(if: true) } product(id: 9) { id @skip(if: $t) } }",
    variables: { t: true },
  },
  {
    title: "an operation of which everything is left out answers with no data",
    query: "{ me @skip(if: true) { id } }",
  },
  {
    title: "an abstract field may ask for nothing but a conditional __typename",
    query:
      "query ($t: Boolean!) { reviews { subject @include(if: $t) { c: __typename } media { a: __typename @skip(if: $t) } } }",
    variables: { t: true },
  },
  {
    title: "fragments on a type that holds the surrounding one are its own selections",
    query:
      '{ search(text: "") { ... on Found { ... on Found { ... on Product { id } } } } topMedia { ... on Media { ... on Media { id } } } }',
  },
  {
    title: "answers lists of lists, empty lists, and null inside lists",
    query:
      "{ products(ids: [1, 2, 3]) { matrix related { name } } shelves { slots grid { name count } } people { name } media { title } }",
  },
  {
    title: "follows an entity through itself many times",
    query:
      "{ me { friends { friends { friends { friends { name reviews { product { related { related { count } } } } } } } } } }",
  },
  {
    title: "a failing field is null, with its error at its path",
    query: "{ product(id: 2) { name flaky id } }",
  },
  {
    title: "errors stand at aliases and indexes",
    query: "{ all: products(ids: [1, 2]) { x: flaky y: id } }",
  },
  {
    title: "errors of joined fields stand at every place of the entity",
    query: "{ shelves { grid { f: flaky s: stars } product { c: stars } } }",
  },
  {
    title: "errors of joins over nested lists keep their indexes",
    query: "{ warehouses { keepers { name mood email } } people { friends { email } } }",
  },
  {
    title: "an error inside what a join answers keeps the rest of its path",
    query: "{ media { reviews { body stars } } }",
  },
  {
    title: "null in a non-null field makes its parent null",
    query: "{ people { id badge } product(id: 3) { id strict } }",
  },
  {
    title: "null in a non-null joined field makes its parent null",
    query: "{ a: product(id: 4) { name count } b: product(id: 1) { name count } }",
  },
  {
    title: "null in a non-null item makes the list null",
    query: "{ product(id: 2) { warehouse { code alarms } } }",
  },
  {
    title: "null propagates through non-null lists up to the data",
    query: "{ reviews { id body } now { at } }",
  },
  { title: "null propagates from a join up to the data", query: "{ warehouses { code keepers { badge } } }" },
  { title: "values that no enum has are errors", query: "{ people { id mood } reviews { verdict } }" },
  {
    title: "mutations that null leave those after them alone",
    query:
      'mutation { a: rename(id: "p3", name: "x") { strict } b: rename(id: "p1", name: "y") { strict name } }',
  },
  {
    title: "an event with an error is followed by the next",
    query: "subscription { reviewed(first: 5) { id stars product { flaky } } }",
  },
];
