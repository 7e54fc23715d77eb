import { createTrust, nodeCrypto, type VerifyOptions } from "@catalyst/evidence";
import { parseKid, parseStatementKey, type TrustRoot } from "@catalyst/identity";

/** A root in the JSON of the vectors, spec/vectors/README.md. */
export type RootNotation = {
  readonly name: string;
  readonly covers: TrustRoot["covers"];
  readonly kid: string;
  readonly key?: string;
};

export function fromRootNotation({ name, covers, kid, key }: RootNotation): TrustRoot {
  return { name, covers, kid: parseKid(kid), key: key === undefined ? null : parseStatementKey(key) };
}

/** What all cases of verified things have in the vectors. */
export type VerifiedNotation = {
  readonly roots: readonly RootNotation[];
  readonly asOf: number;
  readonly audience?: string;
};

/** What a case is verified with. */
export async function optionsOf({ roots, asOf, audience }: VerifiedNotation): Promise<VerifyOptions> {
  const trust = await createTrust({ roots: roots.map(fromRootNotation) }, nodeCrypto);
  return { crypto: nodeCrypto, trust, asOf, ...(audience === undefined ? {} : { audience }) };
}
