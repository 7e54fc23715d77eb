import {
  IdentityError,
  IdentityFolder,
  type JoinToken,
  joinTokenId,
  type Membership,
} from "@catalyst/identity";
import { newRequests } from "../certificates/identity-keeper.ts";
import { enrol } from "./authority-client.ts";

/**
 * Makes a machine the node that a token names, spec/enrolment.md §4: what it is certified by is in the folder when this
 * resolves. Who was interrupted calls it once more with the same token; a machine that has joined with it already stays
 * as it is, and with another one for the same node it joins anew. Throws IdentityError, DurableError, or RpcError
 * `authority_unreachable` or `enrolment_refused`.
 */
export async function joinOrganisation(
  folderPath: string,
  token: JoinToken,
  now: () => number = Date.now,
): Promise<Membership> {
  const folder = new IdentityFolder(folderPath);
  const { domain, node } = token;
  const before = folder.membership();
  if (before !== null && (before.domain !== domain || before.node !== node)) {
    const [is, other] = [`${before.node}.${before.domain}`, `${node}.${domain}`];
    throw new IdentityError(
      "identity_taken",
      `this machine is ${is} and the token is for ${other}: give --node-data-dir another folder`,
    );
  }
  const id = joinTokenId(token.secret);
  if (before !== null && before.token === id && isGood(folder, now())) return before;
  let pending = folder.pending(id);
  if (pending === null) {
    pending = await newRequests({ node, domain });
    await folder.keepPending(id, pending);
  }
  const answer = await enrol(token, pending.requests, now);
  await folder.keep(answer, pending.keys);
  const joined = { domain, node, token: id, joinedAt: new Date(now()).toISOString() };
  await folder.join(joined);
  return joined;
}

/** Whether the node can renew by itself what it has. */
function isGood(folder: IdentityFolder, now: number): boolean {
  const own = folder.process("auth");
  return own !== null && own.notAfter > now;
}
