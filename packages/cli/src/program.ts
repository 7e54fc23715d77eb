import { addFlags, readFlags } from "@catalyst/config";
import {
  type NodeConfig,
  nodeConfig,
  release,
  runAuth,
  runContent,
  runGateway,
  runOrchestrator,
} from "@catalyst/node";
import { serviceProtocol, subscriptionTransport } from "@catalyst/rpc";
import { Command, Option } from "commander";
import { asking } from "./asking.ts";
import { addApiKeys } from "./commands/apikey.ts";
import { addAudit } from "./commands/audit.ts";
import { type BootstrapOptions, printBootstrap } from "./commands/bootstrap.ts";
import { printSchema, showConfiguration, validateConfiguration } from "./commands/config.ts";
import { addGateway } from "./commands/gateway.ts";
import { addIdentity } from "./commands/identity.ts";
import { joinBy, type Reload } from "./commands/join.ts";
import { addSigningKeys } from "./commands/keys.ts";
import { showLogs } from "./commands/logs.ts";
import { addPeers } from "./commands/peer.ts";
import { addReplicate } from "./commands/replicate.ts";
import { addRoutes } from "./commands/route.ts";
import { addService, listServices, removeService, type ServiceAddOptions } from "./commands/service.ts";
import { type CheckOptions, type ExplainOptions, explain, runChecks, showStatus } from "./commands/status.ts";
import { addTaps } from "./commands/tap.ts";
import { addTokens } from "./commands/token.ts";
import { up } from "./commands/up.ts";
import { unknownWord } from "./given.ts";
import { type Loaded, loadNode } from "./load.ts";
import type { Printer } from "./printer.ts";
import { runProgram } from "./run-program.ts";

/** Runs one command line and returns its exit code. `entry` is the program that child processes are started with. */
export function createProgram(entry: string): (argv: readonly string[]) => Promise<number> {
  return (argv) => runProgram(argv, (printer) => buildProgram(entry, printer));
}

function buildProgram(entry: string, printer: Printer): Command {
  const program = new Command("catalyst")
    .description("A federation node: shares services, content and files between organisations.")
    .version(release, "-V, --version", "print the release")
    .helpCommand(false)
    .showHelpAfterError("(`--help` lists what there is)")
    .enablePositionalOptions()
    .exitOverride();
  program
    .command("version")
    .description("print the release")
    .action(() => printer.data(release));
  addRunning(program, printer, entry);
  addConfig(program, printer);
  addAsking(program, printer);
  addServices(program, printer);
  addPeers(program, printer);
  addRoutes(program, printer);
  addTaps(program, printer);
  addApiKeys(program, printer);
  addSigningKeys(program, printer);
  addTokens(program, printer);
  addIdentity(program, printer);
  addReplicate(program, printer);
  addAudit(program, printer);
  return program;
}

/** Commands that run a node or one of its processes take the whole configuration. */
function addRunning(program: Command, printer: Printer, entry: string): void {
  const run = <Options>(
    name: string,
    description: string,
    start: (loaded: Loaded, options: Options, reload: Reload) => Promise<void>,
  ) => {
    const command = configured(program.command(name).description(description), (loaded, options, reload) =>
      start(loaded, options as Options, reload),
    );
    return command.option("-q, --quiet", "print nothing but errors");
  };
  const about = "run a whole node: Envoy, auth, orchestrator, gateway and content";
  run<{ join?: string }>("up", about, async (given, { join }, reload) => {
    const joining = join === undefined ? null : await joinBy(printer, given, join, reload);
    const { config, dataDir } = joining?.loaded ?? given;
    await up(printer, config, dataDir, entry, joining?.join ?? (async () => undefined));
  }).option(
    "--join <token>",
    "become the node that a join token names, under its name and domain; - reads it from standard input",
  );
  const alone = (runProcess: (config: NodeConfig, dataDir: string) => Promise<void>) => (loaded: Loaded) =>
    runProcess(loaded.config, loaded.dataDir);
  run("orchestrator", "run the orchestrator alone", alone(runOrchestrator));
  const gateway = run(
    "gateway",
    "run the GraphQL gateway alone; or look at what one serves",
    alone(runGateway),
  );
  addGateway(gateway, printer);
  run("auth", "run the auth process alone: the keys that sign tokens and API keys", alone(runAuth));
  run("content", "run the content process alone: the store", alone(runContent));
  run("bootstrap", "print what an Envoy of this node is started with", (loaded, options: BootstrapOptions) =>
    printBootstrap(printer, loaded, options),
  ).option(
    "--command [file]",
    "print the command that starts Envoy with the bootstrap in a file (envoy.json)",
  );
}

function addConfig(program: Command, printer: Printer): void {
  const config = program.command("config").description("work with the configuration");
  const show = configured(config.command("show").description("print what is in force"), (loaded, options) =>
    showConfiguration(printer, loaded, options as { sources?: boolean }),
  );
  show.option("--sources", "say where each value comes from");
  configured(config.command("validate").description("find every fault, start nothing"), (loaded) =>
    validateConfiguration(printer, loaded),
  );
  config
    .command("schema")
    .description("print the JSON Schema of the configuration file")
    .action(() => printSchema(printer));
}

/** Commands that ask a running node need to know where it keeps its sockets, and how to print. */
function addAsking(program: Command, printer: Printer): void {
  asking(
    program.command("status").description("show processes and services, and what is wrong"),
    printer,
    showStatus,
  );
  asking(
    program
      .command("check")
      .description("run named checks, each with a hint")
      .option("--only <codes...>", "run these checks alone")
      .option("--skip <codes...>", "leave these checks out")
      .option("--wait <seconds>", "wait for them to pass"),
    printer,
    (context, options: CheckOptions) => runChecks(context, options),
  );
  asking(
    program
      .command("explain")
      .description("say how something came to be as it is")
      .argument("<subject>", "service, route, process, object, apikey or field")
      .argument("<name>", "its name; of an API key also the key itself, or - for standard input")
      .option("--service <name>", "of an API key: whether it is good for this service"),
    printer,
    (context, options: ExplainOptions, subject = "", name = "") => explain(context, subject, name, options),
  );
  asking(
    program
      .command("logs")
      .description("show the end of a process's log")
      .argument("[process]", "supervisor's children: auth, orchestrator, gateway, content, envoy")
      .option("-f, --follow", "go on with what is added"),
    printer,
    (context, options: { follow?: boolean }, process) => showLogs(context, process, options),
  );
}

function addServices(program: Command, printer: Printer): void {
  const service = program.command("service").description("change the services of a running node");
  asking(
    service
      .command("add")
      .description("declare a service, or change one; it stays until it is removed")
      .argument("<name>", "its name: a DNS label")
      .option("--url <url>", "where it listens; for graphql its endpoint")
      .addOption(
        new Option("--protocol <protocol>", "what it speaks")
          .choices(serviceProtocol.options)
          .default("graphql"),
      )
      .option("--timeout-ms <ms>", "how long one request may take (default: 15000)")
      .addOption(
        new Option(
          "--subscriptions <transport>",
          "how subscriptions reach it: server-sent events, a WebSocket, or what it takes (default: auto)",
        ).choices(subscriptionTransport.options),
      )
      .option("--wait <seconds>", "wait until it is served", "5"),
    printer,
    (context, options: ServiceAddOptions, name = "") => addService(context, name, options),
  );
  asking(
    service.command("remove").description("remove a service").argument("<name>", "its name"),
    printer,
    (context, _options, name = "") => removeService(context, name),
  );
  asking(service.command("list").description("list the services"), printer, listServices);
}

/** A command that takes the whole configuration as flags. */
function configured(
  command: Command,
  act: (loaded: Loaded, options: Record<string, unknown>, reload: Reload) => Promise<void> | void,
): Command {
  command.option("--config <file>", "configuration file, JSON (default: catalyst.json, if there is one)");
  addFlags(command, nodeConfig);
  // No frame of ours stays while a process runs: where ten thousand services came from is not to be kept for ever.
  return command.action(() => {
    const [word] = command.args; // more than none only where commands are below
    if (word !== undefined) {
      const below = command.commands.map((each) => each.name());
      throw unknownWord(`command of ${command.name()}`, word, below);
    }
    const options = command.opts<Record<string, unknown>>();
    const load: Reload = (first) =>
      loadNode(options["config"] as string | undefined, [...first, ...readFlags(command, nodeConfig)]);
    return act(load([]), options, load);
  });
}
