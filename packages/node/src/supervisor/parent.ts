import { existsSync } from "node:fs";

/** Linux can end a child when its parent dies, whatever the parent dies of; `setpriv` (util-linux) asks for it. */
const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));

/** Whether children end by themselves when their parent is killed. */
export const endsWithParent = process.platform === "linux" && setpriv !== undefined;

/** The command that runs a program so that it is asked to end when its parent dies, where the system can do that. */
export function endingWithParent(program: string, args: readonly string[]): [string, ...string[]] {
  return endsWithParent && setpriv !== undefined
    ? [setpriv, "--pdeathsig", "TERM", program, ...args]
    : [program, ...args];
}
