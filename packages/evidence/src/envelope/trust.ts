import {
  type Kid,
  kidFromBytes,
  type StatementKey,
  type TrustRoot,
  thumbprintInput,
} from "@catalyst/identity/portable";
import { isWithin } from "@catalyst/wire/portable";
import type { VerifyCrypto } from "../crypto.ts";
import { EvidenceError } from "../errors.ts";
import { type Delegation, readDelegation } from "./delegation.ts";
import { type Envelope, signerOf } from "./envelope.ts";
import { checkSignature } from "./signature.ts";

export type TrustInput = {
  readonly roots: readonly TrustRoot[];
  /** Envelopes of delegations; each is verified when it is first needed. */
  readonly delegations?: readonly Uint8Array[];
  /** Keys for roots of which the kid alone is known. */
  readonly keys?: readonly StatementKey[];
};

/** One key on the way from a root to the signer. */
export type TrustLink = {
  readonly name: string;
  readonly kid: Kid;
  /** The delegation that lends the key, by its place in the list; null for a root. */
  readonly delegation: number | null;
};

/** Why a key may speak for an issuer. */
export type Authority = {
  readonly key: StatementKey;
  /** From the root to the signer. */
  readonly path: readonly TrustLink[];
};

/** Who may speak for whom: roots, and what they delegated. */
export type Trust = {
  /**
   * The key of an envelope, if it may sign statements of that type in the name of that issuer at the time of issue:
   * spec/evidence.md §2.4. Throws {@link EvidenceError} `issuer_untrusted`, `delegation_window`, `delegation_type`,
   * `key_unknown`, or `signature_invalid` when a delegation's is.
   */
  authorise(envelope: Envelope): Promise<Authority>;
};

/** Delegations between a root and a signer at most. */
const maxDelegations = 3;

type Lent = Delegation & { readonly kid: Kid };

/** Reads delegations and keys. Throws {@link EvidenceError} when one of the delegations is malformed. */
export async function createTrust(input: TrustInput, crypto: VerifyCrypto): Promise<Trust> {
  const kidOf = async (key: StatementKey) => kidFromBytes(await crypto.sha256(thumbprintInput(key)));
  const lent: Lent[] = [];
  for (const bytes of input.delegations ?? []) {
    const delegation = readDelegation(bytes);
    lent.push({ ...delegation, kid: await kidOf(delegation.key) });
  }
  const keys = new Map<Kid, StatementKey>();
  for (const key of input.keys ?? []) keys.set(await kidOf(key), key);
  const paths = new Paths(input.roots, lent, keys, crypto);
  return { authorise: (envelope) => paths.find(envelope, 0) };
}

class Paths {
  readonly roots: readonly TrustRoot[];
  readonly lent: readonly Lent[];
  readonly keys: ReadonlyMap<Kid, StatementKey>;
  readonly crypto: VerifyCrypto;
  /** What was found out of a delegation at a depth, so that hostile lists cost no more than their length. */
  readonly known = new Map<string, Promise<Authority>>();

  constructor(
    roots: readonly TrustRoot[],
    lent: readonly Lent[],
    keys: ReadonlyMap<Kid, StatementKey>,
    crypto: VerifyCrypto,
  ) {
    this.roots = roots;
    this.lent = lent;
    this.keys = keys;
    this.crypto = crypto;
  }

  async find(envelope: Envelope, depth: number): Promise<Authority> {
    const root = this.root(envelope);
    if (root !== null) return root;
    let first: EvidenceError | null = null;
    for (const [index, delegation] of this.lent.entries()) {
      const { issuer, kid } = signerOf(envelope);
      if (delegation.kid !== kid || delegation.subject !== issuer) continue;
      try {
        return await this.through(envelope, delegation, index, depth);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        first ??= error;
      }
    }
    throw first ?? refusal("issuer_untrusted", "no root and no delegation lets the key speak for", envelope);
  }

  root(envelope: Envelope): Authority | null {
    const { issuer, kid } = signerOf(envelope);
    for (const root of this.roots) {
      const covered = root.covers === "name" ? issuer === root.name : isWithin(issuer, root.name);
      if (root.kid !== kid || !covered) continue;
      const key = root.key ?? this.keys.get(kid);
      if (key === undefined) throw refusal("key_unknown", "only the kid is known of the key of", envelope);
      return { key, path: [{ name: root.name, kid, delegation: null }] };
    }
    return null;
  }

  async through(envelope: Envelope, delegation: Lent, index: number, depth: number): Promise<Authority> {
    const { claims, type, kid } = envelope.header;
    if (depth === maxDelegations) {
      throw refusal("issuer_untrusted", "too many delegations lead to the key of", envelope);
    }
    if (claims.issuedAt < delegation.from || claims.issuedAt > delegation.until) {
      throw refusal("delegation_window", "the key was not delegated at the time of issue to", envelope);
    }
    if (!delegation.types.includes(type)) {
      throw refusal("delegation_type", `the key was not delegated for ${type} to`, envelope);
    }
    const parent = await this.delegation(delegation, index, depth);
    const link = { name: delegation.subject, kid, delegation: index };
    return { key: delegation.key, path: [...parent.path, link] };
  }

  delegation({ envelope }: Lent, index: number, depth: number): Promise<Authority> {
    const place = `${index}/${depth}`;
    const known = this.known.get(place);
    if (known !== undefined) return known;
    const found = this.verified(envelope, depth + 1);
    this.known.set(place, found);
    return found;
  }

  async verified(envelope: Envelope, depth: number): Promise<Authority> {
    const authority = await this.find(envelope, depth);
    await checkSignature(envelope, authority.key, this.crypto);
    return authority;
  }
}

function refusal(
  code: "issuer_untrusted" | "delegation_window" | "delegation_type" | "key_unknown",
  message: string,
  envelope: Envelope,
): EvidenceError {
  const signer = signerOf(envelope);
  return new EvidenceError(code, `${message} ${signer.issuer} (kid ${signer.kid})`, { evidence: signer });
}
