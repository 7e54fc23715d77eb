import { z } from "zod";
import { nearest } from "./nearest.ts";
import { quote } from "./text-value.ts";

/** What an issue of zod's means to somebody who wrote a configuration. */
export type Words = { readonly problem: string; readonly hint?: string; readonly nearest?: string };

const english = z.locales.en();

/**
 * An issue in plain words that follow the key. A message that the schema's author wrote goes before our own.
 * With `secret` the value is left out.
 */
export function issueWords(issue: z.core.$ZodIssue, value: unknown, secret: boolean): Words {
  const shown = secret ? "" : `: ${describeValue(value)}`;
  const written = authorsMessage(issue);
  if (issue.code === "custom") return { problem: hide(issue.message, value, secret) };
  if (written !== undefined) return { problem: hide(written, value, secret) + shown };
  switch (issue.code) {
    case "invalid_type":
      return {
        problem: `is ${secret ? "" : `${describeValue(value)}, `}not ${TYPES[issue.expected] ?? issue.expected}`,
      };
    case "too_small":
      return { problem: tooSmall(issue) + shown };
    case "too_big":
      return { problem: tooBig(issue) + shown };
    case "not_multiple_of":
      return { problem: `is not a multiple of ${issue.divisor}${shown}` };
    case "invalid_format":
      return { problem: formatProblem(issue) + shown };
    case "invalid_value":
      return choiceWords(issue.values, value, secret);
    case "invalid_union":
      return unionWords(issue, value, secret);
    case "invalid_key":
      return { problem: "has a name that is not allowed here" };
    default:
      return { problem: issue.message };
  }
}

/** A value for a message: texts in quotes and shortened, lists and objects only named. */
function describeValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return value === undefined ? "nothing" : String(value);
}

function authorsMessage(issue: z.core.$ZodIssue): string | undefined {
  const usual = english.localeError(issue as z.core.$ZodRawIssue);
  const text = typeof usual === "string" ? usual : usual?.message;
  return issue.message === text ? undefined : issue.message;
}

function hide(message: string, value: unknown, secret: boolean): string {
  return secret && typeof value === "string" && value !== ""
    ? message.replaceAll(value, "(secret)")
    : message;
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  tuple: "a list",
  null: "null",
};

const UNITS: Readonly<Record<string, string>> = { string: "character", array: "item", object: "field" };

function tooSmall({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
  const counted = origin in UNITS;
  const than = inclusive === false ? "not more than" : counted ? "fewer than" : "less than";
  return `${counted ? "has" : "is"} ${than} ${amount(minimum, origin)}`;
}

function tooBig({ origin, maximum, inclusive }: z.core.$ZodIssueTooBig): string {
  const than = inclusive === false ? "not less than" : "more than";
  return `${origin in UNITS ? "has" : "is"} ${than} ${amount(maximum, origin)}`;
}

function amount(limit: number | bigint, origin: string): string {
  const unit = UNITS[origin];
  return unit === undefined ? String(limit) : `${limit} ${unit}${Number(limit) === 1 ? "" : "s"}`;
}

const FORMATS: Readonly<Record<string, string>> = {
  url: "a URL",
  email: "an e-mail address",
  uuid: "a UUID",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  cidrv4: "an IPv4 network",
  cidrv6: "an IPv6 network",
  hostname: "a host name",
  date: "a date",
  datetime: "a date and time",
  duration: "an ISO 8601 duration",
  base64: "base64",
  base64url: "base64url",
};

function formatProblem(issue: z.core.$ZodIssueInvalidStringFormat): string {
  switch (issue.format) {
    case "regex":
      return `does not have the form ${issue.pattern ?? "asked for"}`;
    case "starts_with":
      return `does not begin with ${quote(String((issue as z.core.$ZodIssueStringStartsWith).prefix))}`;
    case "ends_with":
      return `does not end with ${quote(String((issue as z.core.$ZodIssueStringEndsWith).suffix))}`;
    case "includes":
      return `does not hold ${quote(String((issue as z.core.$ZodIssueStringIncludes).includes))}`;
    default:
      return `is not ${FORMATS[issue.format] ?? `a valid ${issue.format}`}`;
  }
}

function choiceWords(values: readonly unknown[], value: unknown, secret: boolean): Words {
  const hint = `expected ${values.length === 1 ? "" : "one of "}${values.map(describeValue).join(", ")}`;
  if (secret) return { problem: "is not a known choice", hint };
  const near =
    typeof value === "string"
      ? nearest(
          value,
          values.filter((known) => typeof known === "string"),
        )
      : undefined;
  return {
    problem: `is not a known choice: ${describeValue(value)}`,
    hint,
    ...(near === undefined ? {} : { nearest: quote(near) }),
  };
}

function unionWords(issue: z.core.$ZodIssueInvalidUnion, value: unknown, secret: boolean): Words {
  if ("options" in issue && Array.isArray(issue.options)) return choiceWords(issue.options, value, secret);
  const forms = issue.errors.map((branch) => branch[0]).filter((first) => first !== undefined);
  const problems = forms.map((first) =>
    first.path.length > 0 ? "an object of another form" : issueWords(first, value, true).problem,
  );
  const unique = [...new Set(problems)];
  return {
    problem: `has none of the allowed forms${secret ? "" : `: ${describeValue(value)}`}`,
    hint: `it ${unique.join(", and ")}`,
  };
}
