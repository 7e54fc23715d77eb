import {
  type Client,
  orchestratorContract,
  type RouteEventView,
  routeWatch,
  watchTimeoutMs,
} from "@catalyst/rpc";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { readGiven, wholeNumber } from "../given.ts";
import type { Printer } from "../printer.ts";
import { renderEvent } from "./tap-view.ts";

export type TapOptions = { service?: string; peer?: string; for?: string; count?: string };

/** The longest time of a timer. */
const mostMs = 2 ** 31 - 1;

/** `catalyst tap`: what happens in a node, as it happens. */
export function addTaps(program: Command, printer: Printer): void {
  const command = program.command("tap").description("look on at what happens, until Ctrl-C");
  asking(
    command
      .command("routes")
      .description(
        "what peers tell and what becomes of it, sessions with them, and the best path of each service",
      )
      .option("--service <pattern>", "routes of this service alone; * stands for any characters")
      .option("--peer <name>", "routes and sessions of this peer alone")
      .option("--for <time>", "end after this time, such as 10s")
      .option("--count <number>", "end after so many events"),
    printer,
    (context, options: TapOptions) => tapRoutes(context, options),
  );
}

/** `catalyst tap routes`: one event a line, until Ctrl-C, or as long as was asked for. */
export async function tapRoutes(context: CommandContext, options: TapOptions): Promise<void> {
  const { service, peer } = options;
  const endMs = options.for === undefined ? null : Math.min(mostMs, parseDuration("--for", options.for));
  const { count = "" } = options;
  let left = count === "" ? Number.POSITIVE_INFINITY : wholeNumber("--count", count, 1, 1_000_000_000);
  const filter = readGiven(routeWatch, { service, peer }, { service: "--service", peer: "--peer" });
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const { watchRoutes } = orchestrator.call;
  const first = await watchRoutes(filter);
  if (first === null) {
    const how = "give it `mesh.peers`, or `mesh.listen.peers` to take those that come";
    throw new CommandError(exitCode.notFound, `This node exchanges routes with nobody: ${how}.`);
  }
  const { printer } = context;
  const { node } = first;
  printer.talk(
    `Looking on at the routes of ${node}; times are UTC${endMs === null ? ", Ctrl-C ends it" : ""}.`,
  );
  const show = linesOf(context, node.slice(node.indexOf(".") + 1));
  const over = endMs === null ? new AbortController().signal : AbortSignal.timeout(endMs);
  for await (const events of follow(watchRoutes, filter, first.next, over)) {
    const shown = events.slice(0, left);
    // Who reads slowly is waited for here, and loses events at the node: there, they are counted.
    await printer.bytes(
      Buffer.from(
        shown
          .flatMap(show)
          .map((line) => `${line}\n`)
          .join(""),
      ),
    );
    left -= shown.length;
    if (left === 0) return;
  }
}

type Watch = Client<typeof orchestratorContract>["watchRoutes"];

/** The events after a number, in batches, until the signal aborts. */
async function* follow(
  watch: Watch,
  filter: Parameters<Watch>[0],
  from: number,
  over: AbortSignal,
): AsyncGenerator<readonly RouteEventView[]> {
  for (let after = from; !over.aborted; ) {
    const answer = await unlessAborted(watch({ ...filter, after }, { timeoutMs: watchTimeoutMs }), over);
    if (answer === null) return;
    if (answer.events.length > 0) yield answer.events;
    after = answer.next;
  }
}

/** What a promise gives, or null when the signal aborts first. Nothing of the promise stays with the signal. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value | null> {
  return new Promise((resolve, reject) => {
    const end = () => resolve(null);
    signal.addEventListener("abort", end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

function linesOf({ printer, format }: CommandContext, domain: string) {
  return (event: RouteEventView): string[] => {
    if (format !== "table") return [JSON.stringify(event)];
    return renderEvent(event, { colours: printer.colours, domain, width: printer.width() });
  };
}
