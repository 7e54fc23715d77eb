import { createPublicKey } from "node:crypto";
import { Sign1 } from "@auth0/cose";
import { formatStatementKey, type StatementKey } from "@catalyst/identity";

/** Verifies an envelope with `@auth0/cose`, which shares nothing with ours. Throws when it refuses. */
export async function verifyElsewhere(envelope: Uint8Array, key: StatementKey): Promise<void> {
  const x = formatStatementKey(key);
  const theirs = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  await Sign1.decode(Uint8Array.from(envelope)).verify(theirs); // a copy: it leaves a mark on what it reads
}
