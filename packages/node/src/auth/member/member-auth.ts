import type { KeyObject } from "node:crypto";
import { formatAuditHead } from "@catalyst/evidence";
import {
  IdentityError,
  IdentityFolder,
  publicKeyOf,
  readTokenJwks,
  type SigningRequests,
  type TokenJwk,
  tokenJwkOf,
} from "@catalyst/identity";
import type { authContract, Implementation, NodeIdentity } from "@catalyst/rpc";
import { auditingDenial, clip } from "../../audit/denied-action.ts";
import { Ledger } from "../../audit/ledger.ts";
import { OwnIdentity } from "../../identity/own-identity.ts";
import { paths } from "../../paths.ts";
import type { ProcessBody, ProcessFrame } from "../../process.ts";
import { identityChecks, reasonsOf, unusableFiles } from "../certificates/identity-checks.ts";
import { certificatesOf, IdentityKeeper, rootsOf } from "../certificates/identity-keeper.ts";
import { BelievedKeys } from "../credentials/believed-keys.ts";
import { serveDiscovery } from "../credentials/discovery-server.ts";
import { Member } from "./member.ts";

const upkeepMs = 30_000;

/** The auth process of a node that has joined an organisation: the authorities and the keys are at its root. */
export async function composeMember(
  { config, dataDir, logger, stopping }: ProcessFrame,
  resources: AsyncDisposableStack,
): Promise<ProcessBody<typeof authContract>> {
  const { name: node, domain } = config.node;
  const folder = new IdentityFolder(paths.identity(dataDir));
  const ledger = resources.use(
    await Ledger.open({
      issuer: `${node}.${domain}`,
      keysFolder: paths.keys(dataDir),
      passphraseFile: config.auth.passphraseFile,
      auditFolder: paths.audit(dataDir, "auth"),
    }),
  );
  const onTrust = ({ version }: { version: number }) =>
    logger.info({ version }, "what is believed was taken over");
  const keys = new BelievedKeys(config.auth.identity.jwksFile);
  const believed = () => keys.keys;
  const maxStaleMs = config.auth.identity.maxStaleHours * 3_600_000;
  const member = new Member({ folder, domain, node, believed, now: Date.now, maxStaleMs, onTrust });
  const sign = (requests: SigningRequests) => member.renew(requests);
  const keeper = new IdentityKeeper({ folder, node, domain, isRoot: false, now: Date.now, sign });
  resources.use(
    await serveDiscovery({ socketPath: paths.jwksSocket(dataDir), issuers: publishedBy(member) }),
  );
  const following = keys.follow({
    signal: stopping,
    onChange: () => member.believedChanged(),
    onProblem: (problem) => logger.warn({ problem }, "keys by path cannot be used"),
  });
  resources.defer(() => following);
  const own = new OwnIdentity(config, dataDir);
  const listening = member.listen(stopping);
  resources.defer(() => listening);
  await keeper.keepUp();
  const timer = setInterval(() => {
    member.keepUp();
    void keeper.keepUp();
  }, upkeepMs);
  resources.defer(() => clearInterval(timer));
  const problem = () => keeper.problem() ?? member.problem;
  const unusable = () => unusableFiles(own, keys);
  const identity = () => identityOf(member, own, { node, domain, problem: problem() });
  const notice = () => ({ version: member.trust.version, document: JSON.stringify(member.trust) });
  const details = () => ({
    issuer: `https://${domain}`,
    version: member.trust.version,
    keys: [],
    apiKeys: { live: 0, revoked: member.trust.revoked.length },
    auditHead: formatAuditHead(ledger.head),
  });
  return {
    details,
    readiness: () => ({ ready: true, reasons: reasonsOf(problem(), ...unusable()) }),
    drain: async () => undefined,
    implementation: {
      ...signedByRoot(member, ledger),
      ...doneByRoot(member, ledger),
      check: () =>
        identityChecks({
          certificate: (process) => own.process(process),
          problem: problem(),
          unusable: unusable(),
          rootSkewMs: member.rootSkewMs,
          now: Date.now(),
        }),
      credentials: () => member.credentials(),
      watch: ({ after }) => member.credentialsAfter(after),
      signingKeys: () => [],
      identity,
      renewIdentity: async () => {
        await keeper.renew();
        return identity();
      },
      trust: notice,
      watchTrust: async ({ after }) => {
        await member.after(after);
        return notice();
      },
    },
  };
}

/** Tokens, which the root's keys sign. */
function signedByRoot(member: Member, ledger: Ledger) {
  const asking = <Result>(action: string, target: string, act: () => Promise<Result>) =>
    auditingDenial(ledger, { action, target: clip(target) }, act);
  return {
    mint: (request) => asking("token.mint", request.subject, () => member.mint(request)),
    createToken: (request) => asking("token.create", request.subject, () => member.createToken(request)),
  } satisfies Partial<Calls>;
}

/** What is asked for at the root alone: that somebody asked here is in the audit log. */
function doneByRoot(member: Member, ledger: Ledger) {
  const denied = (action: string, target: string) =>
    auditingDenial(ledger, { action, target: clip(target) }, () => member.elsewhere());
  return {
    explain: () => member.elsewhere(),
    revokeToken: ({ jti }) => denied("token.revoke", jti),
    rotate: ({ kind }) => denied("keys.rotate", kind),
    createApiKey: ({ name }) => denied("apikey.create", name ?? "unnamed"),
    apiKeys: () => member.elsewhere(),
    revokeApiKey: ({ key }) => denied("apikey.revoke", key),
    createJoinToken: ({ node }) => denied("jointoken.create", node),
    joinTokens: () => member.elsewhere(),
    revokeJoinToken: ({ token }) => denied("jointoken.revoke", token),
    revokeNode: ({ node }) => denied("node.revoke", node),
  } satisfies Partial<Calls>;
}

type Calls = Implementation<typeof authContract>;

/** The same public keys as at the root, on this node's own socket. */
function publishedBy(member: Member) {
  return member.trust.issuers.map(({ issuer, kind }) => ({
    issuer,
    jwks: () => {
      const found = member.trust.issuers.find((each) => each.kind === kind);
      return found === undefined ? [] : Array.from(readTokenJwks(found.jwks).values(), jwkOf);
    },
  }));
}

function jwkOf(key: KeyObject): TokenJwk {
  const read = publicKeyOf(key);
  if (read.algorithm !== "P-256")
    throw new IdentityError("key_algorithm", "tokens are signed with P-256 keys");
  return tokenJwkOf(read);
}

function identityOf(
  { trust }: Member,
  own: OwnIdentity,
  about: Pick<NodeIdentity, "node" | "domain" | "problem">,
): NodeIdentity {
  return {
    role: "member",
    ...about,
    roots: rootsOf(own, about.domain),
    authority: trust.authority,
    certificates: certificatesOf(own),
    issued: [],
    denied: trust.denied,
    version: trust.version,
  };
}
