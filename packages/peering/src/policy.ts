import type { AttributeSet } from "./attribute-set.ts";
import { labelFault, type Protocol, protocols } from "./attributes.ts";
import { PeeringError } from "./errors.ts";
import { compileGlob, type NameTest } from "./glob.ts";

/** How many, both ends included; by default 0 and any number. */
export type LengthRange = { readonly min?: number; readonly max?: number };

/** What a rule is about; what is left out is not asked. In patterns `*` stands for any characters. */
export type PolicyMatch = {
  readonly service?: string;
  readonly organisation?: string;
  readonly protocol?: Protocol;
  /** Labels that a route has, each with the value that this pattern takes. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly peer?: string;
  /**
   * The peer's organisation. A rule without it is about peers of this node's own organisation only: nothing goes to
   * another one, or comes from it, by a rule that does not name it.
   */
  readonly peerOrganisation?: string;
  readonly nodePathLength?: LengthRange;
  readonly orgPathLength?: LengthRange;
};

/** What a rule changes of a route that it accepts. */
export type PolicySet = {
  readonly localPref?: number;
  readonly metric?: number;
  readonly noExport?: boolean;
  /** Labels to set; null takes one away. */
  readonly labels?: Readonly<Record<string, string | null>>;
};

/** One rule; the first one of a list that is about a route decides, spec/peering.md §4. */
export type PolicyRule = {
  readonly name: string;
  readonly match?: PolicyMatch;
  readonly action: "accept" | "reject";
  readonly set?: PolicySet;
};

/** With whom routes are exchanged. */
export type PolicyPeer = { readonly node: string; readonly domain: string; readonly isOwnDomain: boolean };

/** What became of a route: the attributes that it has from here on, or null, and what decided. */
export type Verdict = { readonly attributes: AttributeSet | null; readonly rule: string };

/** Tells of a service, among routes that share attributes, what becomes of its route. */
export type Judge = (service: string) => Verdict;

type CompiledRule = {
  readonly name: string;
  readonly accepts: boolean;
  readonly set: PolicySet | undefined;
  readonly matchesPeer: (peer: PolicyPeer) => boolean;
  readonly matchesAttributes: (attributes: AttributeSet) => boolean;
  /** null for every service. */
  readonly matchesService: NameTest | null;
};

/** Makes attributes of those that a rule accepts, with what it sets. */
export type Transform = (attributes: AttributeSet, set: PolicySet | undefined) => AttributeSet;

/** A compiled list of rules: what they ask of peer and attributes is asked once for many routes. */
export type Policy = {
  judgeOf(peer: PolicyPeer, attributes: AttributeSet, transform: Transform): Judge;
};

const maxRules = 10_000;
const everything: PolicyRule = { name: "default: own organisation", action: "accept" };

/**
 * Compiles rules in their order. After the last one, routes to and from peers of the own organisation are accepted, all
 * others rejected. Throws {@link PeeringError} `policy_invalid`.
 */
export function compilePolicy(rules: readonly PolicyRule[]): Policy {
  if (rules.length > maxRules) throw new PeeringError("policy_invalid", `more than ${maxRules} rules`);
  const compiled = [...rules, everything].map(compileRule);
  return {
    judgeOf: (peer, attributes, transform) => {
      const cases: { readonly matches: NameTest | null; readonly verdict: Verdict }[] = [];
      for (const rule of compiled) {
        if (!rule.matchesPeer(peer) || !rule.matchesAttributes(attributes)) continue;
        cases.push({ matches: rule.matchesService, verdict: verdictOf(rule, attributes, transform) });
        if (rule.matchesService === null) break;
      }
      return (service) => {
        for (const { matches, verdict } of cases) if (matches === null || matches(service)) return verdict;
        return deniedByDefault;
      };
    },
  };
}

const deniedByDefault: Verdict = { attributes: null, rule: "default: other organisation" };

function verdictOf(rule: CompiledRule, attributes: AttributeSet, transform: Transform): Verdict {
  if (!rule.accepts) return { attributes: null, rule: rule.name };
  let made: AttributeSet | null = null;
  // Made when the first route needs it: with many rules most of them never do.
  return {
    rule: rule.name,
    get attributes() {
      made ??= transform(attributes, rule.set);
      return made;
    },
  };
}

function compileRule(rule: PolicyRule): CompiledRule {
  const { name, match = {}, action, set } = rule;
  checkRule(rule);
  const glob = (pattern: string | undefined) => (pattern === undefined ? null : compileGlob(pattern));
  const [organisation, peer, peerOrganisation] = [match.organisation, match.peer, match.peerOrganisation].map(
    glob,
  );
  const labels = Object.entries(match.labels ?? {}).map(
    ([key, pattern]) => [key, compileGlob(pattern)] as const,
  );
  return {
    name,
    accepts: action === "accept",
    set,
    matchesPeer: (one) =>
      (match.peerOrganisation === undefined ? one.isOwnDomain : (peerOrganisation?.(one.domain) ?? true)) &&
      (peer?.(one.node) ?? true),
    matchesAttributes: (one) =>
      (organisation?.(one.organisation) ?? true) &&
      (match.protocol === undefined || match.protocol === one.protocol) &&
      isWithin(one.nodePath.length, match.nodePathLength) &&
      isWithin(one.orgPath.length, match.orgPathLength) &&
      labels.every(([key, test]) => {
        const value = one.labels.get(key);
        return value !== undefined && (test?.(value) ?? true);
      }),
    matchesService: glob(match.service),
  };
}

function isWithin(length: number, { min = 0, max = Number.POSITIVE_INFINITY }: LengthRange = {}): boolean {
  return length >= min && length <= max;
}

const number = (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;

function checkRule({ name, match = {}, action, set = {} }: PolicyRule): void {
  const refuse = (what: string): never => {
    throw new PeeringError("policy_invalid", `the rule "${name}" ${what}`);
  };
  if (name === "" || name.length > 128) refuse("has no name of 1 to 128 characters");
  if (action !== "accept" && action !== "reject") refuse("neither accepts nor rejects");
  if (match.protocol !== undefined && !protocols.includes(match.protocol))
    refuse("asks for an unknown protocol");
  const patterns = [match.service, match.organisation, match.peer, match.peerOrganisation];
  for (const pattern of [...patterns, ...Object.values(match.labels ?? {})]) {
    if (pattern !== undefined && (pattern === "" || pattern.length > 512)) {
      refuse("has a pattern that is not 1 to 512 characters");
    }
  }
  for (const { min = 0, max = 0 } of [match.nodePathLength ?? {}, match.orgPathLength ?? {}]) {
    if (!number(min) || !number(max)) refuse("has a length that is no whole number");
  }
  for (const value of [set.localPref ?? 0, set.metric ?? 0]) {
    if (!number(value)) refuse("sets a number that is not 0 to 4294967295");
  }
  const written = Object.entries(set.labels ?? {}).map(([key, value]) => [key, value ?? "-"] as const);
  const fault = labelFault(new Map(written));
  if (fault !== null) refuse(fault);
  if (action === "reject" && Object.keys(set).length > 0) refuse("rejects, and sets something all the same");
}
