import { type Command, Option } from "commander";
import { Assembly } from "./assembly.ts";
import { type ConfigDefinition, type FlagMeaning, namedNodes, negatable } from "./definition.ts";
import { makeFault, type Report, type Source } from "./fault.ts";
import { readItem } from "./item-layer.ts";
import { nearest } from "./nearest.ts";
import type { Raw } from "./raw.ts";
import { readText } from "./text-value.ts";
import { dottedPath, type NamedNode } from "./tree.ts";

/** One flag of a command line: as it was written, without its value, and the value if it has one. */
export type GivenFlag = {
  readonly flag: string;
  readonly value?: string;
  /** Of one that is unknown: which of its command's own options was probably meant, without dashes. */
  readonly meant?: string;
};

/** The flags of a command line that are meant for the configuration, in their order, unknown ones too. */
export type ParsedFlags = readonly GivenFlag[];

const parsed = new WeakMap<Command, Map<ConfigDefinition, ParsedFlags>>();

/**
 * Gives a command all options of a configuration, listed in its help under their sections. The values are had by
 * {@link readFlags} after parsing, not by `command.opts()`; a flag that neither the configuration nor the command
 * knows is not an error of commander's but one of `loadConfig`, so that all faults are told at once.
 *
 * The command must be one that runs, not one that only holds subcommands.
 */
export function addFlags(command: Command, definition: ConfigDefinition): void {
  for (const node of namedNodes(definition.root)) command.addOption(helpOption(node));
  const own = parsed.get(command) ?? new Map<ConfigDefinition, ParsedFlags>();
  parsed.set(command, own);
  const commander = command.parseOptions.bind(command);
  command.parseOptions = (argv) => {
    // What follows the name of a command below belongs to that one.
    if (command.commands.some((below) => below.name() === argv[0])) return commander([...argv]);
    const scan = scanFlags(definition, argv);
    const { operands, unknown } = commander([...scan.rest]);
    const split = splitUnknown(unknown, ownOptions(command, definition));
    own.set(definition, [...scan.given, ...split.flags]);
    return { operands: [...operands, ...split.operands], unknown: split.help };
  };
}

/** The configuration's flags on the command line that the command has parsed last; {@link addFlags} comes first. */
export function readFlags(command: Command, definition: ConfigDefinition): ParsedFlags {
  return parsed.get(command)?.get(definition) ?? [];
}

/** Takes the known flags out of a command line: `--flag VALUE`, `--flag=VALUE`, `--switch`, `--no-switch`. */
function scanFlags(
  definition: ConfigDefinition,
  argv: readonly string[],
): { given: GivenFlag[]; rest: string[] } {
  const given: GivenFlag[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") {
      rest.push(...argv.slice(index));
      break;
    }
    const { flag, value } = splitWord(word);
    const meaning = flag.startsWith("--") ? definition.flags.get(flag.slice(2)) : undefined;
    const next = argv[index + 1];
    if (meaning === undefined) {
      rest.push(word);
    } else if (value !== undefined || !takesValue(meaning) || next === undefined || next.startsWith("--")) {
      given.push(value === undefined ? { flag } : { flag, value });
    } else {
      given.push({ flag, value: next });
      index++;
    }
  }
  return { given, rest };
}

/**
 * What commander could not place: unknown flags, requests for help, and operands that come after an unknown flag.
 * The word after an unknown flag is taken for its value.
 */
function splitUnknown(
  words: readonly string[],
  own: readonly string[],
): { flags: GivenFlag[]; operands: string[]; help: string[] } {
  const flags: GivenFlag[] = [];
  const operands: string[] = [];
  const help: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (word === "-h" || word === "--help") help.push(word);
    else if (!word.startsWith("-")) operands.push(word);
    else {
      const { flag, value } = splitWord(word);
      const meant = nearest(flag.replace(/^-+/, ""), own);
      flags.push({
        flag,
        ...(value === undefined ? {} : { value }),
        ...(meant === undefined ? {} : { meant }),
      });
      const next = words[index + 1];
      if (value === undefined && next !== undefined && !next.startsWith("-")) index++;
    }
  }
  return { flags, operands, help };
}

/** The options that a command has beside those of the configuration. */
function ownOptions(command: Command, definition: ConfigDefinition): string[] {
  const names = command.options.flatMap(({ long }) => (long == null ? [] : [long.slice(2)]));
  return names.filter((name) => !definition.flags.has(name));
}

function splitWord(word: string): GivenFlag {
  const equals = word.indexOf("=");
  return equals === -1 ? { flag: word } : { flag: word.slice(0, equals), value: word.slice(equals + 1) };
}

function takesValue(meaning: FlagMeaning): boolean {
  return !meaning.negated && !isSwitch(meaning.node);
}

function isSwitch(node: NamedNode): boolean {
  return node.kind === "leaf" && node.value === "boolean";
}

/** The flags' layer: of a flag given twice the last counts, lists grow, `--no-LIST` empties them. */
export function flagLayer(definition: ConfigDefinition, flags: ParsedFlags, report: Report): Raw {
  const layer = new Assembly({ kind: "default" });
  for (const given of flags) {
    const source: Source = { kind: "flag", flag: given.flag };
    const meaning = definition.flags.get(given.flag.slice(2));
    if (meaning === undefined || !given.flag.startsWith("--")) {
      const near = given.meant ?? nearest(given.flag.replace(/^-+/, ""), definition.flags.keys());
      const more = { nearest: near === undefined ? undefined : `--${near}` };
      report(makeFault("", source, "is not a known flag", more));
    } else {
      applyFlag(layer, meaning, given.value, source, report);
    }
  }
  return layer.raw();
}

function applyFlag(
  layer: Assembly,
  { node, negated }: FlagMeaning,
  value: string | undefined,
  source: Source,
  report: Report,
): void {
  const path = dottedPath(node);
  const common = { key: node.key, source, secret: node.secret };
  if (negated && value !== undefined) {
    report(makeFault(node.key, source, "takes no value"));
  } else if (isSwitch(node)) {
    const text = value ?? String(!negated);
    layer.replace(path, readText({ ...common, text, kind: "boolean" }, report));
  } else if (negated) {
    layer.replace(path, { kind: "list", source, items: [] });
  } else if (value === undefined) {
    const hint = `write ${source.kind === "flag" ? source.flag : ""}=VALUE`;
    report(makeFault(node.key, source, "has no value", { hint }));
    layer.replace(path, { kind: "refused", source });
  } else if (node.kind === "leaf") {
    layer.replace(path, readText({ ...common, text: value, kind: node.value }, report));
  } else {
    const item =
      node.kind === "keyed"
        ? readItem(node, value, source, report)
        : readText({ ...common, text: value, kind: node.element }, report);
    layer.append(path, item);
  }
}

function helpOption(node: NamedNode): Option {
  const { flag } = node.names;
  const section = node.key.split(".")[0] ?? "";
  const more = [
    ...(node.kind === "list" || node.kind === "keyed" ? ["repeatable"] : []),
    ...(negatable(node) ? [`--no-${flag}`] : []),
    ...(node.fallback === undefined || node.kind === "keyed"
      ? []
      : [`default ${JSON.stringify(node.fallback)}`]),
  ];
  const text = node.meta.description + (more.length === 0 ? "" : ` (${more.join("; ")})`);
  const flags = isSwitch(node) ? `--${flag}` : `--${flag} <${placeholder(node)}>`;
  return new Option(flags, text).helpGroup(`Configuration, section ${section}:`);
}

function placeholder(node: NamedNode): string {
  if (node.kind === "keyed") return "item";
  const kind = node.kind === "list" ? node.element : node.kind === "leaf" ? node.value : "json";
  return kind === "string" ? "text" : kind;
}
