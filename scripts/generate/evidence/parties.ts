import { signDelegation } from "@catalyst/evidence";
import { formatStatementKey, type Signer, type TrustRoot } from "@catalyst/identity";
import { alpha, beta, nonceOf, now, rootOf, signerOf } from "../../../packages/evidence/test/parties.ts";

// Who speaks in the vectors, and who lends a key to whom.

export const testType = "application/vnd.catalyst.test+cbor";
export const delegationType = "application/vnd.catalyst.delegation+cbor";

export const organisation = { name: "acme.catalyst.internal", signer: signerOf("organisation") };
export const gamma = { name: alpha.name, signer: signerOf("gamma") };
export const delta = { name: alpha.name, signer: signerOf("delta") };

export const alphaRoot = rootOf(alpha.name, alpha.signer);
export const betaRoot = rootOf(beta.name, beta.signer);
export const organisationRoot = rootOf(organisation.name, organisation.signer, "subtree");

/** A root as the vectors write it. */
export function rootNotation({ name, covers, kid, key }: TrustRoot): object {
  return { name, covers, kid, ...(key === null ? {} : { key: formatStatementKey(key) }) };
}

/** A delegation that is the same in each run. */
export function lend(
  from: { readonly name: string; readonly signer: Signer },
  to: { readonly name: string; readonly signer: Signer },
  changes: {
    readonly types?: readonly string[];
    readonly issuedAt?: number;
    readonly lifetimeSeconds?: number;
  } = {},
): Uint8Array {
  return signDelegation(from.signer, {
    issuer: from.name,
    subject: to.name,
    key: to.signer.publicKey,
    types: changes.types ?? [testType],
    issuedAt: changes.issuedAt ?? now - 60,
    lifetimeSeconds: changes.lifetimeSeconds ?? 3_600,
    nonce: nonceOf(`${from.name} lends to ${to.name}`),
  });
}

/** Delegations from `alpha` over keys of these names to `delta`, each of which may lend on. */
export function chainOf(links: readonly string[], type = testType): readonly Uint8Array[] {
  const keys = [alpha, ...links.map((text) => ({ name: alpha.name, signer: signerOf(text) })), delta];
  return keys.slice(1).map((to, at) => lend(keys[at] ?? alpha, to, { types: [type, delegationType] }));
}
