import type { ObjectStat } from "@catalyst/rpc";

type Damage = ObjectStat["damage"][number];

/** Where an object is damaged, as people read it: `leaf 3 of its data`, `leaves 0 to 7 of its tree`. */
export function damageText({ part, firstLeaf, leaves }: Damage): string {
  const what = { data: "its data", outboard: "its tree", record: "its record" }[part];
  if (leaves === 0) return what;
  return leaves === 1
    ? `leaf ${firstLeaf} of ${what}`
    : `leaves ${firstLeaf} to ${firstLeaf + leaves - 1} of ${what}`;
}
