import { IdentityError, IdentityFolder } from "@catalyst/identity";
import { authContract } from "@catalyst/rpc";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { runProcess } from "../process.ts";
import { composeMember } from "./member/member-auth.ts";
import { composeRoot } from "./root/root-auth.ts";

/**
 * The auth process: keeps the authorities and the keys that sign credentials, gives credentials and takes them back; on
 * a node that has joined an organisation, keeps the node's certificates and asks the root authority for the rest.
 */
export function runAuth(config: NodeConfig, dataDir: string): Promise<void> {
  const { name, domain } = config.node;
  return runProcess("auth", authContract, config, dataDir, (frame, resources) => {
    const joined = new IdentityFolder(paths.identity(dataDir)).membership();
    if (joined === null) return composeRoot(frame, resources);
    if (joined.node === name && joined.domain === domain) return composeMember(frame, resources);
    const [is, other] = [`${joined.node}.${joined.domain}`, `${name}.${domain}`];
    const how = "correct --node-name and --node-domain, or give --node-data-dir another folder";
    throw new IdentityError(
      "identity_taken",
      `${dataDir} is of ${is}, and the configuration says ${other}: ${how}`,
    );
  });
}
