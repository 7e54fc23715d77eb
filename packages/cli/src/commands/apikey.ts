import { type ApiKey, authContract, orchestratorContract, RpcError } from "@catalyst/rpc";
import type { Command } from "commander";
import { idOfKey, looksLikeKey } from "../api-key.ts";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { readGiven, required } from "../given.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { collect } from "../roots.ts";
import { secondsOf } from "../seconds.ts";
import { renderTable } from "../table.ts";

type CreateOptions = { service?: readonly string[]; ttl: string; name?: string };

/** How many are asked for at once. */
const pageSize = 1_000;

/** `catalyst apikey`: credentials for people and programs outside of the node. */
export function addApiKeys(program: Command, printer: Printer): void {
  const command = program
    .command("apikey")
    .description("give API keys to who calls the services, and take them back");
  asking(
    command
      .command("create")
      .description("make an API key and print it, this once: it is kept nowhere")
      .option(
        "--service <name>",
        "a service that it is good for, graphql for the endpoint over all, '*' for every one; repeatable",
        collect,
      )
      .option("--ttl <time>", "how long it is good, such as 30d or 12h", "30d")
      .option("--name <name>", "what it is called, so that it is found again"),
    printer,
    createApiKey,
  );
  asking(
    command.command("list").description("list the API keys, those that expired within a month among them"),
    printer,
    listApiKeys,
  );
  asking(
    command
      .command("revoke")
      .description("refuse an API key from now on, for ever")
      .argument("<key>", "its name or its id, or the key itself"),
    printer,
    (context, _options, key = "") => revokeApiKey(context, key),
  );
}

/** The key alone goes to stdout, so that `KEY=$(catalyst apikey create …)` holds it and nothing else. */
async function createApiKey(context: CommandContext, options: CreateOptions): Promise<void> {
  const { name, ttl } = options;
  const service = required(
    "--service",
    options.service,
    "--service NAME for each service that it is good for",
  );
  const ttlMs = parseDuration("--ttl", ttl);
  const named = name === undefined ? {} : { name };
  const asked = readGiven(
    authContract.methods.createApiKey.input,
    { services: service, ttlMs, ...named },
    { services: "--service", ttlMs: `--ttl ${ttl}`, name: "--name" },
  );
  const unknown = await unknownServices(context, service);
  using auth = await context.connect("auth", authContract);
  const created = await auth.call.createApiKey(asked);
  const { printer } = context;
  printValue(printer, context.format, created, () => [created.key]);
  const services = service.includes("*") ? "every service" : service.join(", ");
  const until = `until ${secondsOf(created.expiresAt)} (${formatDuration(ttlMs)})`;
  printer.talk(`API key ${created.name} is good for ${services}, ${until}.`);
  printer.talk("It is not shown again. Requests bring it as `x-api-key`, or as `authorization: Bearer`.");
  if (unknown.length === 0) return;
  const [names, verb] = [unknown.join(", "), unknown.length === 1 ? "is no service" : "are no services"];
  printer.talk(
    printer.colours.yellow(`${names} ${verb} of this node yet: the key is good once there is one.`),
  );
}

async function listApiKeys(context: CommandContext): Promise<void> {
  using auth = await context.connect("auth", authContract);
  const keys: ApiKey[] = [];
  let page: ApiKey[];
  do {
    page = await auth.call.apiKeys({ after: keys.at(-1)?.id, limit: pageSize });
    keys.push(...page);
  } while (page.length === pageSize);
  keys.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  printRows(context.printer, context.format, keys, () =>
    keys.length === 0 ? ["No API keys."] : tableOf(keys, context.printer),
  );
}

async function revokeApiKey(context: CommandContext, key: string): Promise<void> {
  using auth = await context.connect("auth", authContract);
  const { input } = authContract.methods.revokeApiKey;
  const id = looksLikeKey(key) ? await idOfKey(key, auth.call) : key;
  const revoked = await auth.call.revokeApiKey(readGiven(input, { key: id }, { key: "the key" }));
  printValue(context.printer, context.format, revoked, () => [
    `API key ${revoked.name} (${revoked.id}) is revoked since ${secondsOf(revoked.revokedAt ?? "")}`,
  ]);
}

function tableOf(keys: readonly ApiKey[], { colours, width }: Printer): readonly string[] {
  const { red, dim, green } = colours;
  const coloured = { revoked: red, overlong: red, expired: dim, good: green };
  return renderTable(
    ["NAME", "STATE", "EXPIRES", "SERVICES", "ID"],
    keys.map((key) => [
      key.name,
      coloured[key.state](key.state),
      secondsOf(key.expiresAt),
      key.services.join(","),
      key.id,
    ]),
    width(),
  );
}

/** Those of the services that the node does not have; none when that cannot be told, the key is given all the same. */
async function unknownServices(
  { connect }: CommandContext,
  services: readonly string[],
): Promise<readonly string[]> {
  try {
    using orchestrator = await connect("orchestrator", orchestratorContract);
    const known = (await orchestrator.call.listServices(undefined)).map(({ service }) => service.name);
    return services.filter((name) => ![...known, "graphql", "*"].includes(name));
  } catch (error) {
    if (error instanceof RpcError) return [];
    throw error;
  }
}
