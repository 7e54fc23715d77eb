import { type JoinToken, parseJoinToken } from "@catalyst/identity";
import { AuthorityServer } from "./authority-server.ts";
import { domain, newDataDir, openTestAuth } from "./test-auth.ts";

/** A root authority of node n1 on a port of its own, with a clock that the test moves, until it is disposed. */
export async function openTestAuthority({ dataDir = newDataDir() } = {}) {
  const auth = await openTestAuth({ dataDir, at: Date.now() });
  const { certificateAuthority, registrar, joinTokens, trustPublisher, events, now, credentialIssuer } = auth;
  const listen = "127.0.0.1:0";
  const parts = {
    domain,
    node: "n1",
    listen,
    certificateAuthority,
    registrar,
    trustPublisher,
    credentialIssuer,
    events,
    now,
  };
  const server = await AuthorityServer.open(parts);
  auth.addresses.current = [server.address];
  auth.onTrust(() => server.recheck());
  const newToken = async (node: string, ttlMs = 600_000): Promise<JoinToken> => {
    return parseJoinToken((await joinTokens.create({ node, ttlMs })).token);
  };
  return {
    ...auth,
    server,
    newToken,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await auth[Symbol.asyncDispose]();
    },
  };
}
