import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { IdentityError } from "./errors.ts";
import { kidOf } from "./kid.ts";
import { type Kid, type PublicKey, type StatementKey, statementKey } from "./public-key.ts";

export type KeyAlgorithm = PublicKey["algorithm"];

/** A private key in the memory of this process. Node's `KeyObject` keeps its bytes out of logs and dumps. */
export type PrivateKey = {
  readonly publicKey: PublicKey;
  /** RFC 9679 for an Ed25519 key, RFC 7638 for the others. */
  readonly kid: Kid;
  readonly secret: KeyObject;
};

/** What signs statements. An interface, so that the key may be elsewhere than here. */
export type Signer = {
  readonly publicKey: StatementKey;
  readonly kid: Kid;
  /** The Ed25519 signature of the bytes: 64 bytes, RFC 8032 §5.1.6. */
  sign(bytes: Uint8Array): Uint8Array;
};

/** A new key from the system's random source. */
export function generateKey(algorithm: KeyAlgorithm): PrivateKey {
  const { privateKey } =
    algorithm === "Ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: algorithm });
  return privateKeyOf(privateKey);
}

/** The key that Node holds. Throws {@link IdentityError} `key_algorithm` when it is not Ed25519, P-256 or P-384. */
export function privateKeyOf(secret: KeyObject): PrivateKey {
  const publicKey = publicKeyOf(secret);
  return { publicKey, kid: kidOf(publicKey), secret };
}

/** The public half of a key that Node holds. Throws `key_algorithm`. */
export function publicKeyOf(key: KeyObject): PublicKey {
  // Asked first: Node exports no JWK of some kinds and curves, and throws.
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const known = key.asymmetricKeyType === "ed25519" || curve === "prime256v1" || curve === "secp384r1";
  if (!known) throw new IdentityError("key_algorithm", "keys are Ed25519, P-256 or P-384");
  const { crv, x, y } = (key.type === "public" ? key : createPublicKey(key)).export({ format: "jwk" });
  if (crv === "Ed25519") return statementKey(member(x));
  return { algorithm: crv === "P-256" ? "P-256" : "P-384", x: member(x), y: member(y) };
}

/** Signs statements with a key of this process. Throws {@link IdentityError} `key_algorithm` for a key of another kind. */
export function createSigner({ publicKey, kid, secret }: PrivateKey): Signer {
  if (publicKey.algorithm !== "Ed25519") {
    throw new IdentityError("key_algorithm", "statements are signed with Ed25519");
  }
  return { publicKey, kid, sign: (bytes) => sign(null, bytes, secret) };
}

function member(value: string | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from(value ?? "", "base64url"));
}
