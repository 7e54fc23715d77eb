/** What a name may have at most: as in DNS. */
const maxName = 253;
const maxLabel = 63;
const [dash, dot] = [0x2d, 0x2e];

/**
 * Whether a value is a name, spec/peering.md §2: labels of `a`-`z`, `0`-`9` and `-` with dots between. A plain loop,
 * because a million of them come in one go.
 */
export function isName(value: unknown): value is string {
  if (typeof value !== "string" || value.length === 0 || value.length > maxName) return false;
  let label = 0;
  let last = dash;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit === dot) {
      if (last === dash || label === 0) return false;
      label = 0;
    } else {
      const plain = (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
      if (!plain && (unit !== dash || label === 0)) return false;
      if (++label > maxLabel) return false;
    }
    last = unit;
  }
  return label > 0 && last !== dash;
}

/** Whether a node or service belongs to a domain: one label and a dot before it. */
export function belongsTo(name: string, domain: string): boolean {
  const at = name.length - domain.length - 1;
  return at > 0 && name.indexOf(".") === at && name.endsWith(domain);
}
