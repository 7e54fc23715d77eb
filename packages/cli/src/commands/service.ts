import { orchestratorContract, type ServiceDeclaration, serviceDeclaration } from "@catalyst/rpc";
import type { CommandContext } from "../context.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { readGiven, required, wholeNumber } from "../given.ts";
import { printRows, printValue } from "../output.ts";
import { secondsToMs } from "../seconds.ts";
import { renderServices } from "../status-view.ts";

export type ServiceAddOptions = {
  url?: string;
  protocol: string;
  timeoutMs?: string;
  subscriptions?: string;
  wait: string;
};

/** `catalyst service add NAME --url URL [--protocol graphql|http]` */
export async function addService(
  context: CommandContext,
  name: string,
  options: ServiceAddOptions,
): Promise<void> {
  const service = declarationOf(name, options);
  const waitMs = secondsToMs("--wait", options.wait, 60);
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const added = await orchestrator.call.addService({ service, waitMs }, { timeoutMs: waitMs + 10_000 });
  const { printer } = context;
  const { envoy, gateway, reason } = added.activation;
  printValue(printer, context.format, { name, ...added }, () => [
    `${name} ${added.created ? "added" : "changed"}: reachable by Host ${added.host}`,
  ]);
  if (envoy === "rejected" || gateway === "excluded") {
    throw new CommandError(
      exitCode.failed,
      `${name} is declared, but not served: ${reason ?? "see catalyst status"}`,
    );
  }
  if (envoy === "pending" || gateway === "pending") {
    const why = reason === null ? "" : ` (${reason})`;
    const words = `${name} is declared, and not served everywhere yet${why}: \`catalyst status\` shows how far it is.`;
    if (waitMs > 0) throw new CommandError(exitCode.temporary, words);
    printer.talk(words);
  }
}

function declarationOf(name: string, options: ServiceAddOptions): ServiceDeclaration {
  const { protocol, timeoutMs, subscriptions } = options;
  const url = required(
    "--url",
    options.url,
    "where the service listens, such as --url http://127.0.0.1:4001/graphql",
  );
  if (subscriptions !== undefined && protocol !== "graphql")
    throw new CommandError(
      exitCode.usage,
      "--subscriptions is for services with --protocol graphql: leave it out",
    );
  const timeout =
    timeoutMs === undefined ? {} : { timeoutMs: wholeNumber("--timeout-ms", timeoutMs, 1, 600_000) };
  return readGiven(
    serviceDeclaration,
    { name, protocol, url, ...timeout, ...(subscriptions === undefined ? {} : { subscriptions }) },
    { name: "the name", url: "--url" },
  );
}

/** `catalyst service remove NAME` */
export async function removeService(context: CommandContext, name: string): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const { input } = orchestratorContract.methods.removeService;
  const asked = readGiven(input, { name }, { name: "the name" });
  const removed = await orchestrator.call.removeService(asked);
  printValue(context.printer, context.format, removed, () => [`${name} removed`]);
}

/** `catalyst service list` */
export async function listServices(context: CommandContext): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const services = await orchestrator.call.listServices(undefined);
  const { colours, width } = context.printer;
  printRows(context.printer, context.format, services, () =>
    services.length === 0 ? ["No services."] : renderServices(services, { colours, width: width() }),
  );
}
