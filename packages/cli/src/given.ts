import { nearest, type z } from "@catalyst/config";
import { CommandError, exitCode } from "./exit-code.ts";

/** How each part of a value is written on the command line: `{ services: "--service" }`. */
type OptionNames = Readonly<Record<string, string>>;

/** What of a text that was given is repeated when it is refused. */
const mostShown = 80;

/**
 * Reads what was given as the interface has it. Throws {@link CommandError} with exit code 2 and a sentence for each
 * fault, which names the option, what was given, and what is allowed.
 */
export function readGiven<Schema extends z.ZodType>(
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
  optionNames: OptionNames,
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => {
    const option = optionNames[String(path[0])] ?? path.join(".");
    const value = path.reduce<unknown>((of, key) => Object(of)[key], given);
    return `${option}${typeof value === "string" ? ` ${quoted(value)}` : ""} ${message}`;
  });
  throw new CommandError(exitCode.usage, faults.join("\n"));
}

/** What an option or an argument has to be given. Throws {@link CommandError} with exit code 2 that says what it is for. */
export function required<Value>(option: string, value: Value | undefined, example: string): Value {
  if (value !== undefined) return value;
  throw new CommandError(exitCode.usage, `${option} is missing: write ${example}`);
}

/** Reads a whole number. Throws {@link CommandError} with exit code 2. */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  const range = `a whole number from ${least} to ${most}`;
  throw new CommandError(exitCode.usage, `${option} is ${range}, not ${quoted(text)}`);
}

/** That a word is none of those there are, and which of them was probably meant. */
export function unknownWord(what: string, word: string, known: readonly string[]): CommandError {
  const near = nearest(word, known);
  const meant = near === undefined ? "" : ` (did you mean ${near}?)`;
  return new CommandError(
    exitCode.usage,
    `there is no ${what} ${quoted(word)}${meant}: there are ${known.join(", ")}`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.length > mostShown ? `${text.slice(0, mostShown).toWellFormed()}…` : text);
}
