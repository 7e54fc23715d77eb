/**
 * One schema of a market, and the same cut into subgraphs. `marketSdl` is written by hand and not derived: what the
 * composition makes of the subgraphs has to come out equal to it.
 */
export const marketSdl = `
  scalar Day
  scalar Json
  enum Size { SMALL MEDIUM LARGE }
  enum Mood { ANGRY CALM CURIOUS }
  enum Currency { EUR USD }
  input Window { first: Int = 2 offset: Int = 0 }
  input Probe { int: Int = 7 float: Float text: String list: [Int!] ids: [[ID]] size: Size = MEDIUM day: Day nested: Probe }
  interface Node { id: ID! }
  interface Named { name: String! }
  interface Media { id: ID! title: String! year: Int ratings: [Int]! reviews: [Review!]! }
  union Found = Maker | Person | Product
  union Subject = Person | Product
  type Geo { lat: Int! lon: Int! }
  type Dimensions { weight: Int! box: [Int!]! unit(metric: Boolean! = true): String! }
  type Tick { at: Int! zone: String! }
  type Shelf { label: String! product: Product! slots: [[Int]!] grid: [[Product]!]! }
  type Product implements Named & Node {
    id: ID! sku: String! model: String! maker: Maker!
    name(upper: Boolean = false): String!
    price(currency: Currency = EUR): Float size: Size dimensions: Dimensions released: Day
    related(first: Int = 2): [Product]! matrix: [[Int]!] flaky: String strict: String!
    old: Int @deprecated(reason: "Ask for price.")
    echo(probe: Probe = {int: 1}, sizes: [Size!] = [SMALL], flag: Boolean, any: Json): String!
    count: Int! barcode: String! warehouse: Warehouse shippingCost(express: Boolean = false): Int
    stockEcho(probe: Probe, window: Window = {first: 1}, currency: Currency): String!
    duty: Float! origin: String
    reviews(window: Window = {first: 2}, minStars: Int): [Review!]! stars: Float headline: String!
  }
  type Maker implements Named { id: ID! name: String! products: [Product!]! country: String }
  type Person implements Named & Node {
    id: ID! name: String! email: String badge: String! mood: Mood born: Day friends: [Person!]! likes: [Node!]!
    finds: [Found]! reviews(window: Window): [Review!]! mean: Float!
  }
  type Review { id: ID! body: String! stars: Int verdict: Mood author: Person product: Product! subject: Subject media: Media replies: [[Review]!] }
  type Warehouse { code: String! capacity: Int! alarms: [Int!] geo: Geo! city: String! keepers: [Person!]! }
  type Book implements Media { id: ID! title: String! year: Int pages: Int! author: Person! copies: Int! ratings: [Int]! reviews: [Review!]! }
  type Film implements Media { id: ID! title: String! year: Int minutes: Int book: Book ratings: [Int]! reviews: [Review!]! }
  type Query {
    version: String!
    products(ids: [ID!] = ["p1", "p2"]): [Product!]! product(id: ID!): Product search(text: String = "a"): [Found!]!
    echo(probe: Probe, any: Json, matrix: [[Int!]]): String!
    warehouses: [Warehouse!]! shelves: [[Shelf!]]!
    reviews(window: Window): [Review!]! topMedia: [Media!]!
    me: Person! person(id: ID!): Person people: [Person]!
    media(year: Int): [Media]! book(id: ID!): Book
    node(id: ID!): Node
    cities: [String!]! now(zone: String = "UTC"): Tick!
  }
  type Mutation {
    rename(id: ID!, name: String!): Product restock(sku: String!, by: Int = 1): Product!
    rate(review: ID!, stars: Int): Review setZone(zone: String!): Tick!
  }
  type Subscription { reviewed(first: Int = 2): Review! released: Media! ticks: Tick! }
`;

/** What the SDL of a subgraph begins with: the directives that it uses, by name. */
export const linkTo = (directives: string) =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: [${directives
    .split(" ")
    .map((name) => `"@${name}"`)
    .join(", ")}])`;

const probe = `
  scalar Day
  enum Size { SMALL MEDIUM LARGE }
  input Probe { int: Int = 7 float: Float text: String list: [Int!] ids: [[ID]] size: Size = MEDIUM day: Day nested: Probe }
`;

/** Subgraphs by name. */
export const subgraphSdls = {
  catalog: `
    ${linkTo("key shareable inaccessible tag")}
    ${probe}
    scalar Json
    enum Currency { EUR USD GBP }
    interface Node { id: ID! }
    interface Named { name: String! }
    union Found = Maker | Product
    type Dimensions @shareable { weight: Int! box: [Int!]! unit(metric: Boolean! = true): String! }
    type Product implements Named & Node @key(fields: "id") @key(fields: "sku") @key(fields: "maker { id } model") {
      id: ID! sku: String! model: String! maker: Maker!
      name(upper: Boolean = false): String! @tag(name: "shown")
      price(currency: Currency = EUR): Float size: Size dimensions: Dimensions released: Day
      related(first: Int = 2): [Product]! matrix: [[Int]!] flaky: String strict: String! barcode: String!
      old: Int @deprecated(reason: "Ask for price.") secret: String @inaccessible
      echo(probe: Probe = {int: 1}, sizes: [Size!] = [SMALL], flag: Boolean, any: Json): String!
    }
    type Maker implements Named @key(fields: "id") @key(fields: "taxId") {
      id: ID! taxId: String! @inaccessible name: String! products: [Product!]!
    }
    type Query {
      version: String! @shareable
      products(ids: [ID!] = ["p1", "p2"]): [Product!]! product(id: ID!): Product search(text: String = "a"): [Found!]!
      echo(probe: Probe, any: Json, matrix: [[Int!]]): String! hidden: Hidden @inaccessible
    }
    type Hidden @inaccessible { value: Int }
    type Mutation { rename(id: ID!, name: String!): Product }
  `,
  stock: `
    ${linkTo("key shareable external requires override")}
    ${probe}
    enum Currency { EUR USD CHF }
    input Window { first: Int = 2 offset: Int = 0 warm: Boolean }
    type Dimensions { weight: Int! @external }
    type Product @key(fields: "sku") {
      sku: String! price(currency: Currency = EUR): Float @external dimensions: Dimensions @external
      count: Int! barcode: String! @override(from: "catalog") warehouse: Warehouse
      shippingCost(express: Boolean = false): Int @requires(fields: "price(currency: USD) dimensions { weight }")
      stockEcho(probe: Probe, window: Window = {first: 1}, currency: Currency): String!
    }
    type Warehouse @key(fields: "code") { code: String! capacity: Int! alarms: [Int!] }
    type Shelf { label: String! product: Product! slots: [[Int]!] grid: [[Product]!]! }
    type Book @key(fields: "id") { id: ID! copies: Int! }
    type Query { version: String! @shareable warehouses: [Warehouse!]! shelves: [[Shelf!]]! }
    type Mutation { restock(sku: String!, by: Int = 1): Product! }
  `,
  reviews: `
    ${linkTo("key shareable external requires provides interfaceObject")}
    enum Size { SMALL MEDIUM LARGE }
    enum Mood { ANGRY CALM }
    input Window { first: Int = 2 offset: Int = 0 seed: Int }
    union Subject = Person | Product
    type Review @key(fields: "id") {
      id: ID! body: String! stars: Int verdict: Mood author: Person product: Product! @provides(fields: "size")
      subject: Subject media: Media replies: [[Review]!]
    }
    type Product @key(fields: "id") {
      id: ID! size: Size @external duty: Float! @external
      reviews(window: Window = {first: 2}, minStars: Int): [Review!]! stars: Float headline: String! @requires(fields: "duty")
    }
    type Person @key(fields: "id") {
      id: ID! name: String! @shareable reviews(window: Window): [Review!]! mean: Float!
    }
    type Media @key(fields: "id") @interfaceObject { id: ID! ratings: [Int]! reviews: [Review!]! }
    type Query { reviews(window: Window): [Review!]! topMedia: [Media!]! }
    type Mutation { rate(review: ID!, stars: Int): Review }
    type Subscription { reviewed(first: Int = 2): Review! }
  `,
  people: `
    ${linkTo("key shareable inaccessible")}
    scalar Day
    enum Mood { CALM CURIOUS ASLEEP @inaccessible }
    interface Node { id: ID! }
    interface Named { name: String! }
    union Found = Person | Product
    type Person implements Named & Node @key(fields: "id") {
      id: ID! name: String! @shareable email: String badge: String! mood: Mood born: Day friends: [Person!]!
      likes: [Node!]! finds: [Found]!
    }
    type Product implements Node @key(fields: "id", resolvable: false) { id: ID! }
    type Maker @key(fields: "taxId") { taxId: String! @inaccessible country: String }
    type Geo @shareable { lat: Int! lon: Int! }
    type Warehouse @key(fields: "geo { lat lon }") { geo: Geo! @shareable keepers: [Person!]! }
    type Query { me: Person! person(id: ID!): Person people: [Person]! node(id: ID!): Node }
  `,
  places: `
    ${linkTo("key shareable external requires")}
    type Geo @shareable { lat: Int! lon: Int! }
    type Warehouse @key(fields: "code") @key(fields: "geo { lat lon }") { code: String! geo: Geo! @shareable city: String! }
    type Maker @key(fields: "id", resolvable: false) { id: ID! country: String @external }
    type Product @key(fields: "maker { id } model") {
      model: String! maker: Maker! @shareable duty: Float! @requires(fields: "maker { country }")
      origin: String @requires(fields: "maker { country }")
    }
    type Query { cities: [String!]! }
  `,
  media: `
    ${linkTo("key")}
    interface Media @key(fields: "id") { id: ID! title: String! year: Int }
    type Book implements Media @key(fields: "id") { id: ID! title: String! year: Int pages: Int! author: Person! }
    type Film implements Media @key(fields: "id") { id: ID! title: String! year: Int minutes: Int book: Book }
    type Person @key(fields: "id", resolvable: false) { id: ID! }
    type Query { media(year: Int): [Media]! book(id: ID!): Book }
    type Subscription { released: Media! }
  `,
};

/** A service beside them that knows nothing of federation. */
export const clockSdl = `
  type Tick { at: Int! zone: String! }
  type Query { now(zone: String = "UTC"): Tick! }
  type Mutation { setZone(zone: String!): Tick! }
  type Subscription { ticks: Tick! }
`;
