import { hash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { readTokenIssuer, verifyToken } from "@catalyst/identity";
import { authContract, type Client, tokenOrder } from "@catalyst/rpc";
import type { CommandContext } from "../context.ts";
import { printDecision } from "../decision-view.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { readGiven, required } from "../given.ts";
import { printValue } from "../output.ts";
import { readToken } from "../read-token.ts";
import { inspectToken, sayingOf } from "../token-inspection.ts";

export type TokenOptions = {
  readonly sub: string;
  readonly service?: readonly string[];
  readonly ttl?: string;
  readonly audience?: string;
  readonly bind?: string;
};

/** The token alone goes to stdout, so that `TOKEN=$(catalyst token create …)` holds it and nothing else. */
export async function createAccessToken(context: CommandContext, options: TokenOptions): Promise<void> {
  const { sub, ttl = "5m", audience, bind } = options;
  const services = required(
    "--service",
    options.service,
    "--service NAME for each service that it is good for",
  );
  const ttlMs = parseDuration("--ttl", ttl);
  const certificate = bind === undefined ? {} : { certificate: thumbprintOf("--bind", bind) };
  const asked = readGiven(
    tokenOrder,
    { subject: sub, services, ttlMs, ...(audience === undefined ? {} : { audience }), ...certificate },
    { subject: "--sub", services: "--service", ttlMs: `--ttl ${ttl}`, audience: "--audience" },
  );
  using auth = await context.connect("auth", authContract);
  const created = await auth.call.createToken(asked);
  const { printer } = context;
  printValue(printer, context.format, created, () => [created.token]);
  const where = services.includes("*") ? "every service" : services.join(", ");
  printer.talk(`It speaks for ${sub} at ${where}, for ${formatDuration(ttlMs)}. Its id is ${created.jti}.`);
  if (bind !== undefined) printer.talk(`It is good over TLS with the certificate in ${bind} alone.`);
}

export type InspectOptions = { readonly service?: string; readonly certificate?: string };

/** `catalyst token inspect`: what a token says, and whether this node takes it. It goes nowhere from here. */
export async function inspectAccessToken(
  context: CommandContext,
  given: string,
  { service, certificate }: InspectOptions,
): Promise<void> {
  const text = await readToken(given);
  if (text.startsWith("join1."))
    throw new CommandError(
      exitCode.usage,
      "this is a join token, and a secret: `catalyst token list` shows those there are",
    );
  using auth = await context.connect("auth", authContract);
  const decision = inspectToken(text, {
    credentials: await auth.call.credentials(undefined),
    now: Date.now(),
    service,
    ...(certificate === undefined ? {} : { certificate: thumbprintOf("--certificate", certificate) }),
  });
  printDecision(context, decision);
}

/** The id of an access token that was given itself, which goes nowhere from here. Throws {@link CommandError}. */
export async function idOfToken(text: string, auth: Client<typeof authContract>): Promise<string> {
  const { issuers } = await auth.credentials(undefined);
  const trust = { issuers: issuers.map(readTokenIssuer), now: Date.now(), isRevoked: () => false };
  const verified = verifyToken(text, trust);
  if (verified.kind === "apikeys")
    throw new CommandError(exitCode.usage, "this is an API key: take it back with `catalyst apikey revoke`");
  if (verified.kind === "refused" && verified.code !== "token_binding")
    throw new CommandError(
      exitCode.usage,
      `nobody takes this token, so that there is nothing to revoke: \`catalyst token inspect\` says why (${verified.code})`,
    );
  return sayingOf(text).claims.jti ?? "";
}

/** SHA-256 of the first certificate in a file, as tokens have it. Throws {@link CommandError} with exit code 2. */
function thumbprintOf(option: string, file: string): string {
  try {
    return hash("sha256", new X509Certificate(readFileSync(file)).raw, "base64url");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(exitCode.usage, `${option} ${file} is no certificate that can be read: ${why}`);
  }
}
