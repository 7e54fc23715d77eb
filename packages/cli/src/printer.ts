import { once } from "node:events";
import pc from "picocolors";
import { clip, wrap } from "./table.ts";

/** Where a command's words go: data to stdout, talk to stderr. The only module that writes to either. */
export type Printer = {
  /** Colours that stay off where they are not wanted: `NO_COLOR`, no terminal, or `-o json`. */
  readonly colours: ReturnType<typeof pc.createColors>;
  /** The answer that was asked for. */
  data(text: string): void;
  /** The answer, where it is bytes; resolves when there is room for more. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** Progress and hints. */
  talk(text: string): void;
  /** Why a command ends early; also where it is to be quiet. */
  fail(text: string): void;
  /** Columns of the terminal that data goes to; undefined when it goes elsewhere. */
  width(): number | undefined;
  /** Repaints a block of lines in place, as many as the screen has room for; only for a terminal. */
  repaint(lines: readonly string[]): void;
  /** What the terminal that is repainted has room for. */
  screen(): { readonly width: number; readonly height: number };
  /** Whether somebody looks on, and wants to. */
  readonly interactive: boolean;
};

let guarded = false;

/** Who reads may leave, as `head` does: that asks the command to end, as Ctrl-C would. */
function endWithReader(): void {
  if (guarded) return;
  guarded = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.kill(process.pid, "SIGTERM");
    });
  }
}

export function createPrinter(options: { quiet?: boolean; plain?: boolean } = {}): Printer {
  const interactive = process.stderr.isTTY === true && options.plain !== true && options.quiet !== true;
  const colours = pc.createColors(pc.isColorSupported && options.plain !== true);
  endWithReader();
  let painted = 0;
  // One column and one row less than there are: the cursor stands behind what is painted.
  const screen = () => {
    return { width: (process.stderr.columns || 80) - 1, height: (process.stderr.rows || 24) - 1 };
  };
  // Broken between words for a terminal; elsewhere a line stays one.
  const folded = (text: string) => {
    const width = process.stderr.isTTY === true ? process.stderr.columns : undefined;
    return text
      .split("\n")
      .flatMap((line) => wrap(line, width))
      .join("\n");
  };
  return {
    colours,
    interactive,
    data: (text) => void process.stdout.write(`${text}\n`),
    bytes: async (bytes) => {
      if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
    },
    talk: (text) => {
      if (options.quiet !== true) process.stderr.write(`${folded(text)}\n`);
      painted = 0;
    },
    fail: (text) => void process.stderr.write(`${folded(`${colours.red("error")} ${text}`)}\n`),
    width: () => (process.stdout.isTTY === true ? process.stdout.columns : undefined),
    repaint: (lines) => {
      const { width, height } = screen();
      const shown = lines.slice(0, height);
      const up = painted > 0 ? `\r\x1b[${Math.min(painted, height)}A` : "";
      const body = shown.map((line) => `\x1b[2K${clip(line, width)}\n`).join("");
      process.stderr.write(`${up}${body}\x1b[0J`);
      painted = shown.length;
    },
    screen,
  };
}
