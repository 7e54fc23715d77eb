import type { ParsedFlags } from "@catalyst/config";
import { type JoinToken, parseJoinToken } from "@catalyst/identity";
import { joinOrganisation } from "@catalyst/node";
import { CommandError, exitCode } from "../exit-code.ts";
import type { Loaded } from "../load.ts";
import type { Printer } from "../printer.ts";
import { readToken } from "../read-token.ts";

/** The configuration once more, with flags that come before those that were given. */
export type Reload = (flags: ParsedFlags) => Loaded;

/** The configuration of a node that is about to join, and what makes it join. */
export type Joining = { readonly loaded: Loaded; readonly join: () => Promise<void> };

/**
 * Reads the token by which this machine becomes the node that it names. Where name and domain are not configured the
 * token's are; where they are, they have to be the same. It joins when it is known that the node can run: a token is used
 * once. Throws {@link CommandError} with exit code 2.
 */
export async function joinBy(
  printer: Printer,
  loaded: Loaded,
  given: string,
  reload: Reload,
): Promise<Joining> {
  const token = parseJoinToken(await readToken(given));
  const named = reload(flagsOf(token, loaded));
  const join = async () => {
    printer.talk(`Joining ${token.domain} as ${token.node}, at ${token.addresses.join(", ")}.`);
    await joinOrganisation(named.dataDir, token);
    printer.talk(`This is ${token.node}.${token.domain}. Without the token it starts with`);
    printer.talk(
      `--node-name ${token.node} --node-domain ${token.domain}, or the same in its configuration file.`,
    );
  };
  return { loaded: named, join };
}

/** The names that the configuration leaves open. */
function flagsOf({ node, domain }: JoinToken, { config, loaded }: Loaded): ParsedFlags {
  const options = [
    { key: "node.name", flag: "--node-name", value: node, configured: config.node.name },
    { key: "node.domain", flag: "--node-domain", value: domain, configured: config.node.domain },
  ];
  return options.flatMap(({ key, flag, value, configured }) => {
    const source = loaded.sources.get(key)?.kind ?? "default";
    if (source === "default") return [{ flag, value }];
    if (configured === value) return [];
    const message = `the token is for ${flag} ${value}, and the configuration says ${configured}: correct it, or make another token`;
    throw new CommandError(exitCode.usage, message);
  });
}
