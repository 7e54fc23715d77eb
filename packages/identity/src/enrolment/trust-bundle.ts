import { X509Certificate } from "node:crypto";
import { z } from "@catalyst/config";
import { IdentityError } from "../errors.ts";
import type { TokenJwk } from "../jwks.ts";

const rootKey = z.looseObject({
  use: z.literal("x509-svid"),
  kty: z.literal("EC"),
  crv: z.enum(["P-256", "P-384"]),
  x: z.string().max(64),
  y: z.string().max(64),
  /** The root's certificate alone, base64 of its DER. */
  x5c: z.tuple([z.base64().max(12_000)]),
});

const tokenKey = z.looseObject({
  use: z.literal("jwt-svid"),
  kid: z.string().min(1).max(128),
  kty: z.literal("EC"),
  crv: z.enum(["P-256", "P-384"]),
  x: z.string().max(64),
  y: z.string().max(64),
});

/** A trust bundle in the form of SPIFFE (SPIFFE Trust Domain and Bundle §4): roots and token keys in one JWK Set. */
export const trustBundle = z.object({
  spiffe_sequence: z.int().min(0),
  /** Seconds after which it is to be asked for again. */
  spiffe_refresh_hint: z.int().min(1),
  keys: z
    .array(z.discriminatedUnion("use", [rootKey, tokenKey]))
    .min(1)
    .max(1_000),
});
export type TrustBundle = z.output<typeof trustBundle>;

export type TrustBundleContent = {
  /** Grows with every change. */
  readonly sequence: number;
  readonly refreshSeconds: number;
  /** Certificates of roots, DER. */
  readonly roots: readonly Uint8Array[];
  /** The public keys of access tokens. */
  readonly tokenKeys: readonly Pick<TokenJwk, "kid" | "kty" | "crv" | "x" | "y">[];
};

/** Writes a bundle. Token keys lose `alg`, and `use` says what the bundle takes them for. */
export function writeTrustBundle({
  sequence,
  refreshSeconds,
  roots,
  tokenKeys,
}: TrustBundleContent): TrustBundle {
  const rootKeys = roots.map((der) => {
    const { kty, crv, x, y } = new X509Certificate(der).publicKey.export({ format: "jwk" });
    return { use: "x509-svid", kty, crv, x, y, x5c: [Buffer.from(der).toString("base64")] };
  });
  const keys = tokenKeys.map(({ kid, kty, crv, x, y }) => ({ use: "jwt-svid", kid, kty, crv, x, y }));
  return trustBundle.parse({
    spiffe_sequence: sequence,
    spiffe_refresh_hint: refreshSeconds,
    keys: [...rootKeys, ...keys],
  });
}

/**
 * The content of a bundle. Throws {@link IdentityError} `certificate_unusable` where a root's certificate is none, or is
 * not of the key beside it.
 */
export function readTrustBundle({
  spiffe_sequence,
  spiffe_refresh_hint,
  keys,
}: TrustBundle): TrustBundleContent {
  const roots = keys.flatMap((key) => (key.use === "x509-svid" ? [rootOf(key)] : []));
  const tokenKeys = keys.flatMap((key) => {
    const { kid, kty, crv, x, y, use } = key;
    return use === "jwt-svid" && crv === "P-256" ? [{ kid, kty, crv, x, y }] : [];
  });
  return {
    sequence: spiffe_sequence,
    refreshSeconds: spiffe_refresh_hint,
    roots,
    tokenKeys: tokenKeys as TrustBundleContent["tokenKeys"],
  };
}

function rootOf({ x5c: [encoded], x, y }: z.output<typeof rootKey>): Uint8Array {
  const der = Uint8Array.from(Buffer.from(encoded, "base64"));
  const refuse = (cause?: unknown) =>
    new IdentityError(
      "certificate_unusable",
      "a root of the trust bundle is not the certificate of its key",
      { cause },
    );
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(der);
  } catch (cause) {
    throw refuse(cause);
  }
  const key = parsed.publicKey.export({ format: "jwk" });
  if (key.x !== x || key.y !== y) throw refuse();
  return der;
}
