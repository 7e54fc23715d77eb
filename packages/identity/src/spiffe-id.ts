import { isLabel, isName } from "@catalyst/wire";

/** Who holds a certificate: a process of a node of an organisation. */
export type SpiffeId = {
  /** The trust domain, e.g. `acme.catalyst.internal`. */
  readonly domain: string;
  /** The node's label inside of it, e.g. `n1`. */
  readonly node: string;
  /** E.g. `orchestrator`. */
  readonly process: string;
};

/** `spiffe://<domain>/node/<node>/<process>`. */
export function formatSpiffeId({ domain, node, process }: SpiffeId): string {
  return `spiffe://${domain}/node/${node}/${process}`;
}

/** Reads what {@link formatSpiffeId} writes; null for anything else: names have one form, spec/enrolment.md §1. */
export function parseSpiffeId(text: string): SpiffeId | null {
  const [, domain = "", node = "", process = ""] =
    /^spiffe:\/\/([^/]+)\/node\/([^/]+)\/([^/]+)$/.exec(text) ?? [];
  return isName(domain) && isLabel(node) && isLabel(process) ? { domain, node, process } : null;
}

/** The name by which a node is reached and spoken of: `n1.acme.catalyst.internal`. */
export function nodeNameOf({ domain, node }: Pick<SpiffeId, "domain" | "node">): string {
  return `${node}.${domain}`;
}
