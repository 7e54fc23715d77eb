// The grammar of names, spec/wire.md §8. Patterns are for schemas, which show them; to ask of one value there are functions.
const rest = "(?:[a-z0-9-]{0,61}[a-z0-9])?";
const label = `[a-z0-9]${rest}`;

/** A label that begins with a letter: what services, and nodes of this organisation, are called. */
export const labelPattern = new RegExp(`^[a-z]${rest}$`);

/** What {@link labelPattern} takes, for a message. */
export const labelWords =
  "at most 63 lower-case letters, digits and hyphens, with a letter first and no hyphen last";

/** Labels with dots between. It does not look at the length of the whole, as {@link isName} does. */
export const namePattern = new RegExp(`^${label}(?:\\.${label})*$`);

/** The full name of a node, `n1.acme.catalyst.internal`: two labels or more. It does not look at the length. */
export const nodeNamePattern = new RegExp(`^${label}(?:\\.${label})+$`);

/** A trust domain: two labels or more, short enough to leave room for a name before it. */
export const domainPattern = new RegExp(`^(?=.{1,200}$)${label}(?:\\.${label})+$`);

/** Whom an object is kept for: `acme`, `team.app`. */
export const namespacePattern = /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/;

const maxName = 253;
const maxLabel = 63;
const [dash, dot] = [0x2d, 0x2e];

/** Whether a value is a name, spec/wire.md §8. A plain loop, because a million of them come in one go. */
export function isName(value: unknown): value is string {
  if (typeof value !== "string" || value.length === 0 || value.length > maxName) return false;
  let length = 0;
  let last = dash;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit === dot) {
      if (last === dash || length === 0) return false;
      length = 0;
    } else {
      const plain = (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
      if (!plain && (unit !== dash || length === 0)) return false;
      if (++length > maxLabel) return false;
    }
    last = unit;
  }
  return length > 0 && last !== dash;
}

/** Whether a value is a name of one label, as names of processes are, and of nodes inside of their organisation. */
export function isLabel(value: unknown): value is string {
  return isName(value) && !value.includes(".");
}

/** Whether a value is the full name of a node: its label, and its organisation's name. */
export function isNodeName(value: unknown): value is string {
  return isName(value) && value.includes(".");
}

/** Whether `name` is `above` or below it: `n1.acme.internal` is within `acme.internal`. */
export function isWithin(name: string, above: string): boolean {
  return name === above || name.endsWith(`.${above}`);
}

/** Whether a node or service belongs to a domain: one label and a dot before it. */
export function belongsTo(name: string, domain: string): boolean {
  const at = name.length - domain.length - 1;
  return at > 0 && name.indexOf(".") === at && name.endsWith(domain);
}
