import { contentContract, type ObjectStat } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { formatBytes, parseBytes } from "../../byte-size.ts";
import type { CommandContext } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { printValue } from "../../output.ts";
import { wrap } from "../../table.ts";
import { damageText } from "./damage.ts";

type InNamespace = { readonly namespace: string };

/** `holo cam stat OBJECT`: what is known of it, without reading it. */
export async function showObject(
  { printer, format, connect }: CommandContext,
  { namespace }: InNamespace,
  object: string,
): Promise<void> {
  using content = await connect("content", contentContract);
  const stat = await content.call.stat({ object, namespace });
  const { cid, sizeBytes, leafSize, sha256, file, state, storedAt, verifiedAt, damage, pins, names } = stat;
  const rows: readonly (readonly [string, string])[] = [
    ["cid", cid],
    ...(file === null ? [] : fileRows(file)),
    ["sha256", sha256 ?? "not known before all of it has come"],
    ["size", `${formatBytes(sizeBytes)} (${sizeBytes} bytes), in leaves of ${leafSize / 1_024} KiB`],
    ["state", state === "whole" ? "whole" : printer.colours.yellow("partial")],
    ["stored", storedAt],
    ["verified", verifiedAt ?? "not since it came"],
    ...damage.map((each) => ["damaged", printer.colours.red(damageText(each))] as const),
    ...names.map((each) => ["name", visible(`${each.name} in ${each.namespace}`)] as const),
    ...pins.map((pin) => ["pin", visible(pinText(pin))] as const),
  ];
  const loose = names.length + pins.length === 0;
  printValue(printer, format, stat, () => [
    ...rows.flatMap(([label, value]) => wrap(`${label.padEnd(10)}${value}`, printer.width(), " ".repeat(10))),
    ...(loose ? ["nothing here names or pins it: unless another object refers to it, gc removes it"] : []),
  ]);
}

function fileRows({ sizeBytes, sha256 }: NonNullable<ObjectStat["file"]>): (readonly [string, string])[] {
  return [
    ["file", `${formatBytes(sizeBytes)} (${sizeBytes} bytes), of which this object is the manifest:`],
    ["", `sha256 ${sha256}`],
  ];
}

function pinText(pin: {
  readonly namespace: string;
  readonly scope: string;
  readonly class: string;
  readonly until: string | null;
}): string {
  const until = pin.until === null ? "" : ` until ${pin.until}`;
  return `${pin.class}, for ${pin.scope} in ${pin.namespace}${until}`;
}

/** `holo cam link NAME OBJECT` */
export async function linkName(
  { printer, format, connect }: CommandContext,
  { namespace }: InNamespace,
  name: string,
  object: string,
): Promise<void> {
  using content = await connect("content", contentContract);
  const linked = await content.call.link({ name, object, namespace });
  const { cid, previous } = linked;
  const instead = previous === null || previous === cid ? "" : `, and no longer ${previous}`;
  printValue(printer, format, { name, namespace, ...linked }, () =>
    wrap(`${visible(name)} is ${cid} now${instead}`, printer.width(), "  "),
  );
}

/** `holo cam unlink NAME` */
export async function unlinkName(
  { printer, format, connect }: CommandContext,
  { namespace }: InNamespace,
  name: string,
): Promise<void> {
  using content = await connect("content", contentContract);
  const unlinked = await content.call.unlink({ name, namespace });
  printValue(printer, format, { name, namespace, ...unlinked }, () =>
    wrap(
      `${visible(name)} is gone; ${unlinked.cid} stays until \`holo cam gc\`, or as long as something else keeps it`,
      printer.width(),
      "  ",
    ),
  );
}

export type PinOptions = InNamespace & {
  readonly class: "hot" | "warm" | "cold";
  readonly scope: string;
  readonly ttl?: string;
};

/** `holo cam pin OBJECT` */
export async function pinObject(
  { printer, format, connect }: CommandContext,
  { namespace, class: kind, scope, ttl }: PinOptions,
  object: string,
): Promise<void> {
  const ttlMs = ttl === undefined ? {} : { ttlMs: parseDuration("--ttl", ttl) };
  using content = await connect("content", contentContract);
  const pinned = await content.call.pin({ object, namespace, class: kind, scope, ...ttlMs });
  const until = pinned.until === null ? "until it is unpinned" : `until ${pinned.until}`;
  printValue(printer, format, { namespace, scope, class: kind, ...pinned }, () =>
    wrap(`${pinned.cid} is kept, ${kind}, ${until}`, printer.width(), "  "),
  );
}

/** `holo cam unpin OBJECT` */
export async function unpinObject(
  { printer, format, connect }: CommandContext,
  { namespace, scope }: Pick<PinOptions, "namespace" | "scope">,
  object: string,
): Promise<void> {
  using content = await connect("content", contentContract);
  const unpinned = await content.call.unpin({ object, namespace, scope });
  printValue(printer, format, { namespace, scope, ...unpinned }, () =>
    wrap(`${unpinned.cid} is no longer pinned for ${visible(scope)}`, printer.width(), "  "),
  );
}

/** `holo cam quota NAMESPACE [BYTES|none]`: shows what it may hold, or says it. */
export async function quota(
  { printer, format, connect }: CommandContext,
  _options: object,
  namespace: string,
  limit: string | undefined,
): Promise<void> {
  const maxBytes = limit === undefined || limit === "none" ? null : parseBytes("the quota", limit);
  using content = await connect("content", contentContract);
  const usage =
    limit === undefined
      ? ((await content.call.namespaces(undefined)).find((each) => each.namespace === namespace) ?? {
          ...{ namespace, usedBytes: 0, maxBytes: null },
        })
      : await content.call.setQuota({ namespace, maxBytes });
  const most = usage.maxBytes === null ? "without a limit" : `of ${formatBytes(usage.maxBytes)}`;
  printValue(printer, format, usage, () => [`${namespace} holds ${formatBytes(usage.usedBytes)} ${most}`]);
}
