import type { NodeRule } from "@catalyst/envoy";
import { compileGlob, type PolicyRule, type Protocol } from "@catalyst/peering";

/** A service of this node's own, as rules see it. */
type OwnService = { readonly service: string; readonly organisation: string; readonly protocol: Protocol };

/**
 * Which nodes may bring requests for a service: those that the rules of export would tell of it, asked about a route of this
 * node's own. A node that heard of the service from others is asked the same.
 */
export function nodeRules(rules: readonly PolicyRule[], of: OwnService): NodeRule[] {
  return rules
    .filter((rule) => isAbout(rule, of))
    .map(({ name, action, match = {} }) => ({
      name,
      allows: action === "accept",
      ids: [
        nodesOf("*", match.peerOrganisation ?? of.organisation),
        ...(match.peer === undefined ? [] : [nodesCalled(match.peer)]),
      ],
    }));
}

function isAbout({ match = {} }: PolicyRule, { service, organisation, protocol }: OwnService): boolean {
  const takes = (pattern: string | undefined, text: string) =>
    pattern === undefined || (compileGlob(pattern)?.(text) ?? true);
  const { nodePathLength, orgPathLength, labels } = match;
  return (
    takes(match.service, service) &&
    takes(match.organisation, organisation) &&
    (match.protocol === undefined || match.protocol === protocol) &&
    // A route of one's own has come through nobody, and has no labels.
    (nodePathLength?.min ?? 0) === 0 &&
    (orgPathLength?.min ?? 0) === 0 &&
    Object.keys(labels ?? {}).length === 0
  );
}

/** A name is `LABEL.DOMAIN`, a SPIFFE id has them the other way round: a pattern for names is one for each place of the first dot. */
function nodesCalled(pattern: string): string {
  const ways: string[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const [before, sign, behind] = [pattern.slice(0, at), pattern[at], pattern.slice(at + 1)];
    if (sign === ".") ways.push(nodesOf(before, behind));
    // The dot may be anywhere in what a star stands for.
    else if (sign === "*") ways.push(nodesOf(`${before}*`, `*${behind}`));
    if (sign === ".") break;
  }
  return ways.length === 0 ? "none" : ways.map((way) => `(?:${way})`).join("|");
}

function nodesOf(label: string, domain: string): string {
  return `spiffe://${regex(domain, "[a-z0-9.-]*")}/node/${regex(label, "[a-z0-9-]*")}/envoy`;
}

function regex(pattern: string, star: string): string {
  return pattern
    .split("*")
    .map((part) =>
      part.replaceAll(/[^a-z0-9-]/g, (sign) => `\\x{${(sign.codePointAt(0) ?? 0).toString(16)}}`),
    )
    .join(star);
}
