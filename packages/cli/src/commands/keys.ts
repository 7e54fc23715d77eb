import { authContract, type CredentialKind, type SigningKey } from "@catalyst/rpc";
import { Argument, type Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { printRows } from "../output.ts";
import type { Printer } from "../printer.ts";
import { secondsOf } from "../seconds.ts";
import { renderTable } from "../table.ts";

/** `catalyst keys`: those that sign tokens and API keys. */
export function addSigningKeys(program: Command, printer: Printer): void {
  const command = program.command("keys").description("the keys that sign tokens and API keys");
  asking(command.command("list").description("list the keys"), printer, listKeys);
  asking(
    command
      .command("rotate")
      .description("sign with the next key from now on; what the one before signed stays good")
      .addArgument(new Argument("<kind>", "what it signs").choices(["tokens", "apikeys"])),
    printer,
    (context, _options, kind) => rotateKeys(context, kind as CredentialKind),
  );
}

async function listKeys(context: CommandContext): Promise<void> {
  using auth = await context.connect("auth", authContract);
  print(context, await auth.call.signingKeys(undefined));
}

async function rotateKeys(context: CommandContext, kind: CredentialKind): Promise<void> {
  using auth = await context.connect("auth", authContract);
  print(
    context,
    (await auth.call.rotate({ kind })).filter((key) => key.kind === kind),
  );
}

function print({ printer, format }: CommandContext, keys: readonly SigningKey[]): void {
  const { colours, width } = printer;
  const paint = { next: colours.yellow, signing: colours.green, verifying: colours.dim } as const;
  printRows(printer, format, keys, () =>
    renderTable(
      ["SIGNS", "STATE", "SINCE", "UNTIL", "KID"],
      keys.map(({ kind, state, since, until, kid }) => {
        return [kind, paint[state](state), secondsOf(since), until === null ? "-" : secondsOf(until), kid];
      }),
      width(),
    ),
  );
}
