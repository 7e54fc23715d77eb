import { parseAddress } from "@catalyst/config";
import { IdentityFolder } from "@catalyst/identity";
import type { authContract, Implementation, NodeIdentity } from "@catalyst/rpc";
import { OwnIdentity } from "../../identity/own-identity.ts";
import { paths } from "../../paths.ts";
import type { ProcessBody, ProcessFrame } from "../../process.ts";
import { identityChecks, reasonsOf, unusableFiles } from "../certificates/identity-checks.ts";
import { certificatesOf, IdentityKeeper, rootsOf } from "../certificates/identity-keeper.ts";
import { timeOf } from "../credentials/api-key.ts";
import type { CredentialIssuer } from "../credentials/credential-issuer.ts";
import { serveDiscovery } from "../credentials/discovery-server.ts";
import { AuthorityServer } from "./authority-server.ts";
import { openAuth } from "./open-auth.ts";

const upkeepMs = 30_000;

/** The auth process of a node that is the root of its organisation, as each one is that has joined no other. */
export async function composeRoot(
  frame: ProcessFrame,
  resources: AsyncDisposableStack,
): Promise<ProcessBody<typeof authContract>> {
  const { config, dataDir } = frame;
  const parts = await openAuth(frame, resources);
  const {
    credentialIssuer,
    credentialsPublisher,
    rings,
    view,
    issuers,
    events,
    registrar,
    joinTokens,
    trustPublisher,
  } = parts;
  const published = (["tokens", "apikeys"] as const).map((kind) => {
    return { issuer: issuers[kind].issuer, jwks: () => rings[kind].jwks() };
  });
  resources.use(await serveDiscovery({ socketPath: paths.jwksSocket(dataDir), issuers: published }));
  const { name: node, domain } = config.node;
  const folder = new IdentityFolder(paths.identity(dataDir));
  const sign = (requests: Parameters<typeof registrar.issueOwn>[0]) => registrar.issueOwn(requests);
  const keeper = new IdentityKeeper({ folder, node, domain, isRoot: true, now: parts.now, sign });
  await keeper.keepUp();
  const following = parts.believed.follow({
    signal: frame.stopping,
    onChange: () => parts.believedChanged(),
    onProblem: (problem) => frame.logger.warn({ problem }, "keys by path cannot be used"),
  });
  resources.defer(() => following);
  const own = new OwnIdentity(config, dataDir);
  const server = await serveAuthority(frame, parts, resources);
  // Whoever of this node looks there knows of a denial as soon as it is in force.
  const keepTrust = () => folder.keepTrust(trustPublisher.current());
  parts.onTrust(keepTrust);
  keepTrust();
  const keepUp = async () => {
    try {
      await credentialIssuer.keepUp();
      await parts.certificateAuthority.keepUp();
      registrar.keepUp();
      await server?.keepUp();
      await keeper.keepUp();
      view.upkeepEnded(null);
    } catch (error) {
      view.upkeepEnded(error as Error);
      events.upkeepFailed(error);
    }
  };
  const timer = setInterval(() => void keepUp(), upkeepMs);
  resources.defer(() => clearInterval(timer));
  const problem = () => keeper.problem() ?? parts.certificateAuthority.problem;
  const unusable = () => unusableFiles(own, parts.believed);
  const identity = () => identityOf(parts, own, { node, domain, problem: problem() });
  const notice = () => ({
    version: parts.version.current,
    document: JSON.stringify(trustPublisher.current()),
  });
  return {
    details: () => view.details(),
    readiness: () => ({ ready: true, reasons: [...view.reasons(), ...reasonsOf(problem(), ...unusable())] }),
    drain: async () => credentialsPublisher.close(),
    implementation: {
      check: () => [
        ...view.check(),
        ...identityChecks({
          certificate: (process) => own.process(process),
          problem: problem(),
          unusable: unusable(),
          rootSkewMs: null,
          now: parts.now(),
        }),
      ],
      explain: ({ subject, name }) => view.explain(subject, name),
      credentials: () => credentialsPublisher.current(),
      watch: ({ after }) => credentialsPublisher.after(after),
      ...credentialCalls(credentialIssuer),
      identity,
      renewIdentity: async () => {
        await keeper.renew();
        return identity();
      },
      createJoinToken: (request) => joinTokens.create(request),
      joinTokens: () => joinTokens.list(),
      revokeJoinToken: (request) => joinTokens.revoke(request),
      revokeNode: (request) => registrar.revoke(request),
      trust: notice,
      watchTrust: async ({ after }) => {
        await credentialsPublisher.after(after);
        return notice();
      },
    },
  };
}

/** What makes credentials, lists them and takes them back. */
function credentialCalls(credentialIssuer: CredentialIssuer) {
  return {
    mint: (request) => credentialIssuer.mint(request),
    createToken: (request) => credentialIssuer.createToken(request),
    revokeToken: (request) => credentialIssuer.revokeToken(request),
    signingKeys: () => credentialIssuer.signingKeys(),
    rotate: (request) => credentialIssuer.rotate(request),
    createApiKey: (request) => credentialIssuer.createApiKey(request),
    apiKeys: (request) => credentialIssuer.listApiKeys(request),
    revokeApiKey: (request) => credentialIssuer.revokeApiKey(request),
  } satisfies Partial<Implementation<typeof authContract>>;
}

type Parts = Awaited<ReturnType<typeof openAuth>>;

/** Serves the root authority where the configuration says so; null where it does not. */
async function serveAuthority(
  { config }: ProcessFrame,
  parts: Parts,
  resources: AsyncDisposableStack,
): Promise<AuthorityServer | null> {
  const { listen } = config.auth.authority;
  if (listen === undefined) return null;
  const { certificateAuthority, registrar, trustPublisher, events, now, credentialIssuer, addresses } = parts;
  const { name: node, domain } = config.node;
  const server = await AuthorityServer.open({
    domain,
    node,
    listen,
    certificateAuthority,
    registrar,
    trustPublisher,
    credentialIssuer,
    events,
    now,
  });
  resources.use(server);
  const isAnywhere = ["0.0.0.0", "::"].includes(parseAddress(listen).host);
  if (addresses.current.length === 0 && !isAnywhere) addresses.current = [server.address];
  parts.onTrust(() => server.recheck());
  return server;
}

function identityOf(
  { certificates, denials, addresses, version, now }: Parts,
  own: OwnIdentity,
  { node, domain, problem }: Pick<NodeIdentity, "node" | "domain" | "problem">,
): NodeIdentity {
  return {
    role: "root",
    domain,
    node,
    roots: rootsOf(own, domain),
    authority: [...addresses.current],
    certificates: certificatesOf(own),
    issued: certificates
      .live(now())
      .filter((each) => each.node !== node)
      .map(({ node, process, serial, expiresAt }) => ({
        node,
        process,
        serial,
        notAfter: timeOf(expiresAt),
      })),
    denied: denials.all().map(({ node, serial, until }) => {
      return { node, serial, until: until === null ? null : timeOf(until) };
    }),
    version: version.current,
    problem,
  };
}
