import { visible } from "@catalyst/wire";
import type { Printer } from "./printer.ts";

type Colours = Printer["colours"];

const token =
  /(?<text>"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*)|(?<directive>@\w+)|(?<variable>\$\w+)|(?<word>\b[A-Za-z_]\w*\b)/g;
const keywords = new Set(
  "type interface union enum input scalar directive schema extend implements on repeatable query mutation subscription fragment".split(
    " ",
  ),
);

/** GraphQL in colours: keywords, names of types, directives, variables, and what is text dim. */
export function colourGraphql(source: string, colours: Colours): string[] {
  const lines = source.trimEnd().split("\n").map(visible).join("\n");
  if (!colours.isColorSupported) return lines.split("\n");
  const coloured = lines.replace(token, (match, ...rest) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    // Line by line, so that each can be shown alone.
    if (groups["text"] !== undefined) return match.split("\n").map(colours.dim).join("\n");
    if (groups["directive"] !== undefined) return colours.yellow(match);
    if (groups["variable"] !== undefined) return colours.magenta(match);
    if (keywords.has(match)) return colours.blue(match);
    return /^[A-Z]/.test(match) ? colours.cyan(match) : match;
  });
  return coloured.split("\n");
}
