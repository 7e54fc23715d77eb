import { writeFileSync } from "node:fs";
import { certifiedProcesses, generateKey, selfSignLeaf, thumbprintOf, toPem } from "@catalyst/identity";
import { type Command, Option } from "commander";
import { parseDuration } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { required } from "../given.ts";
import { loadNode } from "../load.ts";
import type { Printer } from "../printer.ts";

type SelfSignOptions = {
  config?: string;
  nodeName?: string;
  nodeDomain?: string;
  out?: string;
  ttl: string;
  process: string;
};

/** `catalyst identity self-sign`: for organisations without a root authority. It asks no running node. */
export function addSelfSign(command: Command, printer: Printer): void {
  command
    .command("self-sign")
    .description("make a certificate that this node signs for itself, for peers that pin it")
    .addOption(
      new Option("--process <process>", "whose it is")
        .choices([...certifiedProcesses])
        .default("orchestrator"),
    )
    .option("--ttl <time>", "how long it is good, such as 365d", "365d")
    .option("--out <name>", "writes NAME.pem, for the peers, and NAME.key.pem, for nobody else")
    .option("--config <file>", "the configuration of the node")
    .option("--node-name <name>", "its name, in place of the configured one")
    .option("--node-domain <domain>", "its domain, in place of the configured one")
    .action((options: SelfSignOptions) => selfSign(printer, options));
}

async function selfSign(printer: Printer, options: SelfSignOptions): Promise<void> {
  const out = required("--out", options.out, "--out NAME, the files to write");
  const flags = [
    ...(options.nodeName === undefined ? [] : [{ flag: "--node-name", value: options.nodeName }]),
    ...(options.nodeDomain === undefined ? [] : [{ flag: "--node-domain", value: options.nodeDomain }]),
  ];
  const { name: node, domain } = loadNode(options.config, flags).config.node;
  const { secret } = generateKey("P-256");
  const id = { domain, node, process: options.process };
  const lifetimeMs = parseDuration("--ttl", options.ttl);
  const certificate = await selfSignLeaf(secret, { id, now: Date.now(), lifetimeMs });
  create(`${out}.key.pem`, secret.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
  create(`${out}.pem`, toPem("CERTIFICATE", certificate), 0o644);
  printer.data(thumbprintOf(certificate));
  printer.talk(
    `${out}.pem is the certificate of ${options.process} of ${node}.${domain}: give it to the peers, who name it in`,
  );
  printer.talk("auth.identity.pinnedFiles. This node names both files in auth.identity.certificates.");
}

/** A key is never overwritten. */
function create(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { mode, flag: "wx" });
  } catch (error) {
    throw new CommandError(exitCode.failed, `cannot write ${path}: ${(error as Error).message}`);
  }
}
