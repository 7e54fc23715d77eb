import type { JobResult, JobStatus } from "@catalyst/rpc";
import { formatBytes } from "../../byte-size.ts";
import type { Printer } from "../../printer.ts";
import { renderTable, wrap } from "../../table.ts";
import { damageText } from "./damage.ts";

type Result<Kind extends JobResult["kind"]> = JobResult & { readonly kind: Kind };
type Shard = NonNullable<Result<"verify">["shards"]>[number];

/** `1 object`, `12 objects`. */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

/** What came of a job, as people read it; nothing where nothing did. */
export function resultLines({ result }: JobStatus, printer: Printer): readonly string[] {
  if (result === null) return [];
  return linesOf(result, printer).flatMap((line) => wrap(line, printer.width(), "  "));
}

function linesOf(result: JobResult, { colours }: Printer): readonly string[] {
  switch (result.kind) {
    case "gc":
      return [
        result.removed === 0
          ? `nothing to remove; ${result.kept} kept`
          : `removed ${counted(result.removed, "object")}, ${formatBytes(result.removedBytes)} freed; ${result.kept} kept`,
        ...(result.marked > result.removed
          ? [
              `${result.marked - result.removed} more are removed by a run after the grace, unless they are used`,
            ]
          : []),
      ];
    case "scrub": {
      const read = `read ${counted(result.objects, "object")}, ${formatBytes(result.bytes)}`;
      const early = result.finished ? "" : "; ended early: the next one goes on from there";
      const sound = result.damage.length === 0 ? `: ${colours.green("no damage")}` : "";
      return [`${read}${sound}${early}`, ...damageLines(result.damage)];
    }
    case "verify":
      return [...verifiedLines(result, colours), ...shardLines(result.shards ?? [], colours)];
    case "place":
      return [`${result.cid} is placed on ${result.devices.join(", ")}`];
    case "repair":
      return [repairedLine(result)];
  }
}

function verifiedLines(
  { cid, sizeBytes, damage }: Result<"verify">,
  colours: Printer["colours"],
): readonly string[] {
  if (damage.length > 0) return damageLines(damage);
  return [`${cid} is ${colours.green("intact")}: ${formatBytes(sizeBytes)} read`];
}

function damageLines(damage: Result<"scrub">["damage"]): readonly string[] {
  return damage.map((each) => `${each.cid}  ${damageText(each)}`);
}

function shardLines(shards: readonly Shard[], colours: Printer["colours"]): readonly string[] {
  if (shards.length === 0) return [];
  return renderTable(
    ["SHARD", "STATE", "DEVICE"],
    shards.map(({ shard, state, device }) => [
      String(shard),
      state === "intact" ? colours.green(state) : colours.red(state),
      device ?? "-",
    ]),
  );
}

function repairedLine({ cid, outcome, shards }: Result<"repair">): string {
  if (outcome === "intact") return `${cid} is intact: nothing to repair`;
  if (outcome === "lost") return `${cid} cannot be repaired from here`;
  return `${cid} is repaired${shards === 0 ? "" : `, ${counted(shards, "shard")} written anew`}`;
}

/** What is wrong according to a result; null when nothing is. */
export function problemOf(result: JobResult): string | null {
  switch (result.kind) {
    case "scrub": {
      if (result.damaged === 0) return null;
      const found = `found ${result.damaged} damaged ${result.damaged === 1 ? "leaf" : "leaves"}`;
      const repaired = `${counted(result.repaired, "object")} repaired from where they are placed`;
      return `${found}, ${repaired}: \`holo cam verify OBJECT\` shows what is left`;
    }
    case "verify": {
      if (result.damage.length > 0) {
        return "damaged on the disk: `holo cam repair` makes it whole from where it is placed; or put it again";
      }
      const broken = (result.shards ?? []).filter(({ state }) => state !== "intact").length;
      return broken === 0
        ? null
        : `${counted(broken, "shard")} not intact: \`holo cam repair\` writes them anew`;
    }
    case "repair":
      return result.outcome === "lost"
        ? "neither the store nor enough shards have all of it: put it again from where it came from"
        : null;
    default:
      return null;
  }
}
