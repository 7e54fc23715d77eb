import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";

/** Where a command's words go: data to stdout, talk to stderr. The only module that writes to either. */
export type Printer = {
  /** Colours that stay off where they are not wanted: `NO_COLOR`, no terminal, or `-o json`. */
  readonly colours: ReturnType<typeof pc.createColors>;
  /** The answer that was asked for. */
  data(text: string): void;
  /** Progress and hints. */
  talk(text: string): void;
  /** Repaints a block of lines in place; only for a terminal. */
  repaint(lines: readonly string[]): void;
  readonly interactive: boolean;
};

export function createPrinter(options: { quiet?: boolean; plain?: boolean } = {}): Printer {
  const interactive = process.stderr.isTTY === true && options.plain !== true;
  const colours = pc.createColors(pc.isColorSupported && options.plain !== true);
  let painted = 0;
  return {
    colours,
    interactive,
    data: (text) => void process.stdout.write(`${text}\n`),
    talk: (text) => {
      if (options.quiet !== true) process.stderr.write(`${text}\n`);
      painted = 0;
    },
    repaint: (lines) => {
      const width = process.stderr.columns ?? 80;
      const up = painted > 0 ? `\x1b[${painted}A` : "";
      const body = lines.map((line) => `\x1b[2K${clip(line, width)}\n`).join("");
      process.stderr.write(`${up}${body}\x1b[0J`);
      painted = lines.length;
    },
  };
}

/** A line as far as a terminal shows it in one row; one that is too long loses its colours with its end. */
function clip(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length < width ? line : plain.slice(0, width - 1);
}
