import { setTimeout as sleep } from "node:timers/promises";
import { connector } from "./context.ts";
import type { Printer } from "./printer.ts";
import { readStatus, type StatusAnswers } from "./status-reader.ts";
import { countStates, renderStatus } from "./status-view.ts";
import { wrap } from "./table.ts";

export type WatchOptions = {
  /** Ends the watching when it aborts. */
  readonly signal: AbortSignal;
  /** What the caller knows besides, a line each; asked for whenever the status is. Default: nothing. */
  readonly notes?: () => readonly string[];
};

const everyMs = 1_000;
/** Until the node answers for the first time. */
const impatientMs = 100;
const timeoutMs = 2_000;
/** On a screen the rest is counted: it has to stay in sight. */
const mostReasons = 6;
const fewestRows = 4;
/** In one line more services than this are counted. */
const mostNamed = 10;

/**
 * Shows the node's status until the signal aborts: repainted in place on a terminal, no higher than it is;
 * elsewhere a line whenever something changes that a person would want to know.
 */
export async function watchStatus(
  printer: Printer,
  dataDir: string,
  { signal, notes = () => [] }: WatchOptions,
): Promise<void> {
  const connect = connector(dataDir, timeoutMs);
  let said = "";
  let seen = false;
  while (!signal.aborted) {
    const status = await readStatus(connect);
    if (signal.aborted) return;
    seen ||= status.node !== null;
    const absent = seen ? "The node does not answer any more." : "The node is starting …";
    const now = [status.node === null ? absent : summary(status), ...notes()].join("\n");
    if (printer.interactive) printer.repaint(screen(printer, status, absent, notes()));
    else if (now !== said) printer.talk(now);
    said = now;
    await sleep(seen ? everyMs : impatientMs, undefined, { signal }).catch(() => undefined);
  }
}

/** As many services as fit beside the rest. */
function screen(
  { colours, screen: size }: Printer,
  status: StatusAnswers,
  absent: string,
  notes: readonly string[],
): string[] {
  const { width, height } = size();
  const noted = notes.flatMap((note) => note.split("\n"));
  const own = noted.flatMap((line) => wrap(`! ${line}`, width, "  ")).map((line) => colours.red(line));
  const beside = own.length === 0 ? [] : ["", ...own];
  if (status.node === null) return [colours.yellow(absent), ...beside];
  const view = { colours, now: Date.now(), width, brief: true, mostReasons, serviceRows: fewestRows };
  const room = height - beside.length - renderStatus(status, view).length;
  const lines = renderStatus(status, { ...view, serviceRows: fewestRows + Math.max(0, room) });
  return [...lines, ...beside];
}

/** One line that changes when a person would want to know. */
function summary({ node, mesh }: StatusAnswers): string {
  const children = node?.details.children.map(({ name, state }) => `${name} ${state}`) ?? [];
  const { services = [], counts } = mesh?.details ?? {};
  const named = services.map(({ service, state }) => `${service.name} ${state}`).join(", ");
  const told = services.length > mostNamed && counts ? `${countStates(counts)} services` : named;
  const serves = told === "" ? "" : `; ${told}`;
  return `node ${node?.state} (${children.join(", ")})${serves}`;
}
