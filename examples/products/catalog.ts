export type Category = "KITCHEN" | "OFFICE" | "GARDEN" | "TRAVEL";
export type Product = {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly category: Category;
  /** In cents. */
  readonly price: number;
};

const kinds = "Plain Folding Steel Oak Quiet Large Small Blue Red Light Heavy Classic".split(" ");
const nouns: [Category, string[]][] = [
  ["KITCHEN", ["Kettle", "Pan", "Knife", "Bowl", "Scale"]],
  ["OFFICE", ["Desk", "Lamp", "Chair", "Shelf", "Pen"]],
  ["GARDEN", ["Rake", "Hose", "Spade", "Pot", "Bench"]],
  ["TRAVEL", ["Tent", "Bag", "Map", "Stove", "Rope"]],
];

/** 240 products, the same at every start: what a database would hold. Keyed by id, `p1` to `p240`. */
export function createCatalog(): Map<string, Product> {
  const names = kinds.flatMap((kind) =>
    nouns.flatMap(([category, list]) => list.map((noun) => ({ category, name: `${kind} ${noun}` }))),
  );
  const products = names.map(({ category, name }, index): [string, Product] => {
    const [id, sku] = [`p${index + 1}`, `${category.slice(0, 2)}-${1001 + index}`];
    return [id, { id, sku, name, category, price: 500 + ((index * 7_919) % 20_000) }];
  });
  return new Map(products);
}
