import { coversService, readTokenIssuer, type TokenRefusal, verifyToken } from "@catalyst/identity";
import type { Credentials, Decision } from "@catalyst/rpc";
import { z } from "zod";

const claims = z
  .object({
    iss: z.string(),
    aud: z.string(),
    sub: z.string(),
    jti: z.string(),
    nbf: z.number(),
    exp: z.number(),
    services: z.array(z.string()),
    cnf: z.object({ "x5t#S256": z.string().optional() }),
  })
  .partial();
const header = z.object({ alg: z.string(), typ: z.string(), kid: z.string() }).partial();

/** What a token says, whether it is true or not; what cannot be read of it is left out. */
export type SaidToken = {
  readonly header: z.infer<typeof header>;
  readonly claims: z.infer<typeof claims>;
};

/** What a token says. Of its signature nothing is looked at. */
export function sayingOf(text: string): SaidToken {
  const [first = "", second = ""] = text.split(".");
  const read = <Schema extends z.ZodType>(schema: Schema, part: string) =>
    schema.safeParse(parseJson(Buffer.from(part, "base64url").toString("utf8"))).data;
  return { header: read(header, first) ?? {}, claims: read(claims, second) ?? {} };
}

/** Who asks about a token, and for what. */
export type Inspection = {
  readonly credentials: Credentials;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly service?: string | undefined;
  /** SHA-256 of the certificate of who presents it, base64url. */
  readonly certificate?: string | undefined;
};

/**
 * Whether this node takes a token, by the steps of spec/tokens.md §3 until the first that fails: neither the token nor its
 * signature is in it.
 */
export function inspectToken(text: string, { credentials, now, service, certificate }: Inspection): Decision {
  const said = sayingOf(text);
  const issuers = credentials.issuers.map(readTokenIssuer);
  const isRevoked = (jti: string) => credentials.revoked.some((each) => each.jti === jti);
  const verified = verifyToken(text, { issuers, now, isRevoked, certificate });
  const code = verified.kind === "refused" ? verified.code : null;
  const failed = rules.findIndex((rule) => rule.code === code);
  const looked = code === null ? rules : rules.slice(0, failed + 1);
  const steps = looked.map(({ code: fails, rule, says }) => {
    return { rule, outcome: `${fails === code ? "no" : "yes"}${behind(says(said, { certificate }))}` };
  });
  const covers =
    verified.kind === "refused" || service === undefined ? null : coversService(verified.claims, service);
  if (covers !== null) steps.push({ rule: `it covers ${service}`, outcome: covers ? "yes" : "no" });
  const good = covers === false ? `good, and does not cover ${service}` : "good";
  const { sub = "nobody", services = [], ...others } = said.claims;
  return {
    question: `does this node take this token, which speaks for ${sub} at ${services.join(", ") || "no service"}?`,
    asOf: new Date(now).toISOString(),
    inputs: { header: said.header, claims: { sub, services, ...others }, certificate: certificate ?? null },
    steps,
    result: code === null ? good : `refused (${code})`,
  };
}

type Given = Pick<Inspection, "certificate">;
type Rule = {
  readonly code: TokenRefusal;
  readonly rule: string;
  /** What the token says of that; empty for nothing. */
  readonly says: (said: SaidToken, given: Given) => string;
};

/** In the order in which they are looked at. */
const rules: readonly Rule[] = [
  { code: "token_malformed", rule: "it has the form of a token", says: () => "" },
  { code: "token_algorithm", rule: "it is signed with ES256", says: ({ header: { alg = "" } }) => alg },
  { code: "token_claims", rule: "it says what a token has to say", says: ({ claims: { jti = "" } }) => jti },
  { code: "token_issuer", rule: "its issuer is believed", says: ({ claims: { iss = "" } }) => iss },
  { code: "token_key", rule: "its issuer has this key", says: ({ header: { kid = "" } }) => kid },
  { code: "token_signature", rule: "the key has signed it", says: () => "" },
  {
    code: "token_audience",
    rule: "it is meant for this organisation",
    says: ({ claims: { aud = "" } }) => aud,
  },
  { code: "token_lifetime", rule: "it lives no longer than it may", says: () => "" },
  { code: "token_early", rule: "its time has come", says: ({ claims: { nbf } }) => timeOf(nbf) },
  { code: "token_expired", rule: "its time is not over", says: ({ claims: { exp } }) => timeOf(exp) },
  { code: "token_revoked", rule: "it was not revoked", says: () => "" },
  { code: "token_binding", rule: "it comes with the certificate that it is bound to", says: bindingOf },
];

function bindingOf({ claims: { cnf } }: SaidToken, { certificate }: Given): string {
  const bound = cnf?.["x5t#S256"];
  if (bound === undefined) return "it is bound to none";
  if (certificate === undefined) return `${bound}; none was given`;
  return certificate === bound ? bound : `${bound}; that of ${certificate} was given`;
}

function behind(says: string): string {
  return says === "" ? "" : `: ${says}`;
}

/** Seconds since 1970 as people read them; empty for what is no time. */
function timeOf(seconds: number | undefined): string {
  const date = new Date((seconds ?? Number.NaN) * 1_000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
