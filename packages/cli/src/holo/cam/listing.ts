import { type Client, contentContract, type ObjectStat } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { formatBytes } from "../../byte-size.ts";
import type { CommandContext } from "../../context.ts";
import { printRows } from "../../output.ts";
import { clipMiddle, renderTable } from "../../table.ts";

export type ListOptions = {
  readonly namespace: string;
  readonly objects?: boolean;
  readonly namespaces?: boolean;
};

type Content = Client<typeof contentContract>;

/** `holo cam ls`: the names of a namespace, or all objects, or all namespaces. */
export async function listContent(context: CommandContext, options: ListOptions): Promise<void> {
  using content = await context.connect("content", contentContract);
  if (options.namespaces === true) return await listNamespaces(context, content.call);
  if (options.objects === true) return await listObjects(context, content.call);
  return await listNames(context, content.call, options.namespace);
}

/** What the other columns of a listing take, so that the last one is not lost behind a long name. */
const besideNames = 36;

async function listNames(
  { printer, format }: CommandContext,
  content: Content,
  namespace: string,
): Promise<void> {
  const names = await content.names({ namespace });
  const width = printer.width();
  const longest = width === undefined ? Number.POSITIVE_INFINITY : Math.max(20, width - besideNames);
  printRows(printer, format, names, () =>
    names.length === 0
      ? [`No names in ${namespace}: \`holo cam put --name\` and \`holo cam link\` give them.`]
      : renderTable(
          ["NAME", "SIZE", "STORED", "CID"],
          names.map(({ name, sizeBytes, storedAt, cid }) => [
            clipMiddle(visible(name), longest),
            formatBytes(sizeBytes),
            toMinute(storedAt),
            cid,
          ]),
          width,
        ),
  );
}

/** Pages are asked for one after the other, and printed as they come: there may be millions. */
async function listObjects({ printer, format }: CommandContext, content: Content): Promise<void> {
  if (format === "json") {
    const all: ObjectStat[] = [];
    for await (const page of pages(content)) all.push(...page);
    return printRows(printer, format, all, () => []);
  }
  let isFirst = true;
  for await (const page of pages(content)) {
    const rows = page.map((stat) => [
      stat.cid.padEnd(64),
      formatBytes(stat.sizeBytes).padEnd(8),
      toMinute(stat.storedAt),
      stateOf(stat),
    ]);
    const head = ["CID", "SIZE", "STORED", "STATE"];
    printRows(printer, format, page, () => renderTable(head, rows, printer.width()).slice(isFirst ? 0 : 1));
    isFirst = false;
  }
  if (isFirst && format === "table") printer.data("No objects: `holo cam put` stores some.");
}

const pageSize = 1_000;

async function* pages(content: Content): AsyncGenerator<readonly ObjectStat[]> {
  let page = await content.list({ limit: pageSize });
  while (page.length > 0) {
    yield page;
    const after = page.at(-1)?.cid;
    if (page.length < pageSize || after === undefined) return;
    page = await content.list({ after, limit: pageSize });
  }
}

function stateOf({ state, damage }: ObjectStat): string {
  return damage.length > 0 ? "damaged" : state;
}

async function listNamespaces({ printer, format }: CommandContext, content: Content): Promise<void> {
  const usages = await content.namespaces(undefined);
  printRows(printer, format, usages, () =>
    usages.length === 0
      ? ["No namespaces: the first object that is put makes one."]
      : renderTable(
          ["NAMESPACE", "HOLDS", "QUOTA"],
          usages.map(({ namespace, usedBytes, maxBytes }) => [
            namespace,
            formatBytes(usedBytes),
            maxBytes === null ? "none" : formatBytes(maxBytes),
          ]),
          printer.width(),
        ),
  );
}

/** `2027-01-15 08:00`, in UTC as all that the node tells. */
export function toMinute(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
