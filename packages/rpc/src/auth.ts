import { labelPattern, labelWords } from "@catalyst/wire/portable";
import { z } from "zod";
import { defineContract, defineMethod } from "./contract.ts";
import { processMethods, timestamp } from "./process.ts";

/** Access tokens are minted for processes and live for minutes; API keys are given to people and live for months. */
export const credentialKind = z.enum(["tokens", "apikeys"]);
export type CredentialKind = z.infer<typeof credentialKind>;

/** How many services one credential may name. */
export const mostCredentialServices = 64;

const notAService = `is not the name of a service: write ${labelWords}; graphql for the endpoint over all, or * for every service`;

/** The services that a credential is good for, `graphql` among them, or `["*"]` for all: spec/tokens.md §2. */
export const credentialServices = z
  .array(z.string().refine((name) => name === "*" || labelPattern.test(name), notAService))
  .min(1)
  .max(
    mostCredentialServices,
    `names more than ${mostCredentialServices} services: write * for every one, or make a second key`,
  )
  .refine((names) => new Set(names).size === names.length, "names a service twice: leave one out")
  .refine(
    (names) => names.length === 1 || !names.includes("*"),
    "names services beside *, which is every one: leave one of the two out",
  );

/** What an API key is called, so that it can be found again. */
export const apiKeyName = z.string().regex(labelPattern, `is not a name such as ci: write ${labelWords}`);

/** A process of the node, or a program of its organisation: `spiffe://<domain>/<path>`. */
const spiffeId = z
  .string()
  .max(512)
  .regex(
    /^spiffe:\/\/[a-z0-9.-]+(?:\/[A-Za-z0-9._-]+)+$/,
    "is not a name such as spiffe://DOMAIN/node/n1/gateway",
  );

const ttlMs = z.int().min(1_000, "is shorter than a second");

/** Who a token that somebody asks for speaks for. What has a colon are names that the node itself gives. */
const holderName = z
  .string()
  .regex(/^[!-9;-~]{1,256}$/, "is not a name such as alice: it has no spaces and no colons");

/** What may be said of an access token that is made for a person or a program outside of the node: spec/tokens.md §2. */
export const tokenOrder = z.strictObject({
  subject: holderName,
  services: credentialServices,
  ttlMs: ttlMs.default(300_000),
  /** Who it is meant for; default the organisation's domain. A token for anybody else is taken by none of its nodes. */
  audience: z
    .string()
    .regex(/^[!-~]{1,256}$/, "is not the name of who takes the token, such as a domain")
    .optional(),
  /** SHA-256 of the client certificate that it is bound to, base64url; default none. */
  certificate: z
    .string()
    .regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/, "is not the SHA-256 of a certificate in base64url")
    .optional(),
});
export type TokenOrder = z.infer<typeof tokenOrder>;

const signedToken = z.object({ token: z.string(), jti: z.string(), expiresAt: timestamp });

/** Whose signatures are good for what: all that is needed to verify a credential without asking anybody. */
export const credentials = z.object({
  /** Grows with every change of the rest. */
  version: z.int().min(1),
  issuers: z.array(
    z.object({
      kind: credentialKind,
      /** `iss` of its credentials. */
      issuer: z.string(),
      /** `aud` of its credentials: the organisation's domain. */
      audience: z.string(),
      /** Its public keys, a JWK Set as JSON text. */
      jwks: z.string(),
      /** The longest time from `iat` to `exp`. */
      maxLifetimeMs: z.int().min(1),
    }),
  ),
  /** Credentials that are refused although they have not expired, by `jti`; each may be forgotten at `until`. */
  revoked: z.array(z.object({ jti: z.string(), until: timestamp })),
});
export type Credentials = z.infer<typeof credentials>;

/** A key of the process: `next` is published and does not sign yet, `verifying` signed what has not expired. */
export const signingKey = z.object({
  kind: credentialKind,
  kid: z.string(),
  state: z.enum(["next", "signing", "verifying"]),
  /** When it came into this state. */
  since: timestamp,
  /** When a key that is `verifying` is removed; null for the others. */
  until: timestamp.nullable(),
});
export type SigningKey = z.infer<typeof signingKey>;

/**
 * Whether an API key is taken now. One that is `overlong` was given for more than `auth.keys.maxApiKeyDays` allows today:
 * it is refused until more is allowed again.
 */
export const apiKeyState = z.enum(["good", "overlong", "expired", "revoked"]);
export type ApiKeyState = z.infer<typeof apiKeyState>;

/** What is known of an API key, which is everything but the key itself. */
export const apiKey = z.object({
  /** The key's `jti`. */
  id: z.string(),
  name: z.string(),
  services: z.array(z.string()),
  createdAt: timestamp,
  expiresAt: timestamp,
  revokedAt: timestamp.nullable(),
  state: apiKeyState,
});
export type ApiKey = z.infer<typeof apiKey>;

/** A node's or process's label, as it stands in names. */
const nodeLabel = z.string().regex(labelPattern, `is not a name such as n2: write ${labelWords}`);

/** A certificate of a process of a node: spec/enrolment.md §1. */
export const processCertificate = z.object({
  process: z.string(),
  spiffeId: z.string(),
  /** Hexadecimal digits in lower case. */
  serial: z.string(),
  notBefore: timestamp,
  notAfter: timestamp,
  /** From when on it is renewed; null for one that the configuration names, which nobody renews. */
  renewsAt: timestamp.nullable(),
});
export type ProcessCertificate = z.infer<typeof processCertificate>;

/** What is known of a join token that has not expired, which is everything but its secret. */
export const joinTokenStatus = z.object({
  id: z.string(),
  node: z.string(),
  /** `used`: the node has joined with it. `revoked`: it was taken back before. */
  state: z.enum(["open", "used", "revoked"]),
  createdAt: timestamp,
  expiresAt: timestamp,
});
export type JoinTokenStatus = z.infer<typeof joinTokenStatus>;

/** A node that is admitted no more, or with a `serial` one certificate of it. */
export const nodeDenial = z.object({
  node: z.string(),
  serial: z.string().nullable(),
  since: timestamp,
  /** When it is forgotten; null for as long as the node does not join again. */
  until: timestamp.nullable(),
});
export type NodeDenial = z.infer<typeof nodeDenial>;

/** Who a node is, and what it is certified by. */
export const nodeIdentity = z.object({
  /** `root` has the authorities of its organisation, `member` has joined one. */
  role: z.enum(["root", "member"]),
  domain: z.string(),
  node: z.string(),
  /** SHA-256 of the certificate of each root that is believed for the domain, base64url. */
  roots: z.array(z.string()),
  /** Where the root authority is reached, `host:port`. */
  authority: z.array(z.string()),
  certificates: z.array(processCertificate),
  /** At the root: the certificates of other nodes that are good. */
  issued: z.array(
    z.object({ node: z.string(), process: z.string(), serial: z.string(), notAfter: timestamp }),
  ),
  denied: z.array(nodeDenial.omit({ since: true })),
  /** Of what is believed: grows with every change. */
  version: z.int().min(0),
  /** What is wrong, and what to do; null when nothing is. */
  problem: z.string().nullable(),
});
export type NodeIdentity = z.infer<typeof nodeIdentity>;

const trustNotice = z.object({ version: z.int().min(0), document: z.string().nullable() });

const count = z.int().min(0);

const authDetails = z.object({
  /** `iss` of access tokens. */
  issuer: z.string(),
  /** {@link credentials}' version. */
  version: z.int(),
  keys: z.array(signingKey),
  /** API keys that are good now, and those that were revoked before their time. */
  apiKeys: z.object({ live: count, revoked: count }),
  /** The audit log's number of entries and the digest of the last, as `catalyst audit verify` prints it. */
  auditHead: z.string(),
});

/** The auth process's interface on `run/auth.sock`: who may open the socket may have tokens and keys. */
export const authContract = defineContract({
  name: "auth",
  versions: [1],
  methods: {
    ...processMethods(authDetails),
    credentials: defineMethod(z.undefined(), credentials),
    /**
     * The same as soon as its version is another than `after`, at the latest after 25 s: give the call a `timeoutMs`
     * above that.
     */
    watch: defineMethod(z.object({ after: z.int().min(0) }), credentials),
    /** An access token for a process. Throws `ttl_too_long`. */
    mint: defineMethod(
      z.object({ subject: spiffeId, services: credentialServices, ttlMs: ttlMs.default(300_000) }),
      signedToken,
    ),
    /**
     * An access token for a person or a program, and shows it this once: nobody keeps it. Signed at the root. Throws
     * `ttl_too_long`, `authority_unreachable` or `enrolment_refused`.
     */
    createToken: defineMethod(tokenOrder, signedToken),
    /**
     * Refuses an access token from now on, until whatever was signed when this is asked has expired. Revoking it again
     * changes nothing. Only at the root. Throws `busy` or `authority_elsewhere`.
     */
    revokeToken: defineMethod(
      z.object({ jti: z.string().regex(/^[0-9a-f]{32}$/, "is not the id of an access token") }),
      z.object({ jti: z.string() }),
    ),
    signingKeys: defineMethod(z.undefined(), z.array(signingKey)),
    /** Begins to sign with the next key now. The one before verifies until all that it signed has expired. Throws `key_too_new`. */
    rotate: defineMethod(z.object({ kind: credentialKind }), z.array(signingKey)),
    /**
     * Makes an API key, and shows it this once. Without a name it is given one. Throws `ttl_too_long`,
     * `api_key_name_taken` or `api_keys_full`.
     */
    createApiKey: defineMethod(
      z.object({ name: apiKeyName.optional(), services: credentialServices, ttlMs }),
      apiKey.omit({ revokedAt: true, state: true }).extend({ key: z.string() }),
    ),
    /** Those that have not expired, and those that expired within the last month; by id, after the one that is named. */
    apiKeys: defineMethod(
      z.object({ after: z.string().optional(), limit: z.int().min(1).max(1_000).default(1_000) }),
      z.array(apiKey),
    ),
    /**
     * Refuses a key from now on, by its id or the name that it has: on disk before this is answered. Revoking it again
     * changes nothing. Throws `api_key_unknown`.
     */
    revokeApiKey: defineMethod(
      z.object({ key: z.string().min(1, "is empty").max(128, "is longer than any name or id of a key") }),
      apiKey,
    ),
    /** Who this node is: its certificates, and who else is admitted. */
    identity: defineMethod(z.undefined(), nodeIdentity),
    /** Renews the certificates of this node now. Throws `authority_unreachable` or `enrolment_refused`. */
    renewIdentity: defineMethod(z.undefined(), nodeIdentity),
    /**
     * Makes a join token, and shows it this once. Only at the root. Throws `authority_not_served`, `authority_elsewhere`,
     * `node_name_taken`, `ttl_too_long` or `busy`.
     */
    createJoinToken: defineMethod(
      z.object({ node: nodeLabel, ttlMs: ttlMs.default(600_000) }),
      z.object({
        token: z.string(),
        id: z.string(),
        node: z.string(),
        addresses: z.array(z.string()),
        expiresAt: timestamp,
      }),
    ),
    /** The join tokens that have not expired. Only at the root. Throws `authority_elsewhere`. */
    joinTokens: defineMethod(z.undefined(), z.array(joinTokenStatus)),
    /**
     * Takes back a join token by its id, or all open ones of a node by its name. Only at the root. Throws
     * `join_token_unknown`, `join_token_used` or `authority_elsewhere`.
     */
    revokeJoinToken: defineMethod(
      z.object({ token: z.string().min(1, "is empty").max(63, "is longer than any name or id") }),
      z.array(joinTokenStatus),
    ),
    /** Admits a node no more, or with a `serial` one certificate of it. Only at the root. Throws `node_unknown` or `authority_elsewhere`. */
    revokeNode: defineMethod(
      z.object({
        node: nodeLabel,
        serial: z
          .string()
          .regex(/^[0-9a-f]{1,40}$/, "is not a serial number: hexadecimal digits in lower case")
          .optional(),
      }),
      nodeDenial,
    ),
    /** What is believed in the organisation, as JSON text: spec/enrolment.md §5. Null before it is known. */
    trust: defineMethod(z.undefined(), trustNotice),
    /** The same as soon as its version is another than `after`, at the latest after 25 s. */
    watchTrust: defineMethod(z.object({ after: z.int().min(0) }), trustNotice),
  },
});
