import { createReadStream, existsSync, readdirSync, statSync, watchFile } from "node:fs";
import { join } from "node:path";
import { paths } from "@catalyst/node";
import type { CommandContext } from "../context.ts";
import { CommandError, exitCode } from "../exit-code.ts";

const tailBytes = 16_384;

/** `catalyst logs [PROCESS] [--follow]`: the end of a process's log, and what is added to it. */
export async function showLogs(
  context: CommandContext,
  process: string | undefined,
  options: { follow?: boolean },
): Promise<void> {
  const folder = paths.logs(context.dataDir);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".log")) : [];
  const known = names.map((name) => name.slice(0, -4)).sort();
  if (process === undefined || !known.includes(process)) {
    const problem = process === undefined ? "Name a process" : `There is no log of "${process}"`;
    const list = known.length === 0 ? `there are no logs in ${folder} yet` : `there are ${known.join(", ")}`;
    throw new CommandError(
      process === undefined ? exitCode.usage : exitCode.notFound,
      `${problem}: ${list}.`,
    );
  }
  const path = join(folder, `${process}.log`);
  let end = statSync(path).size;
  await print(context, path, Math.max(0, end - tailBytes), end);
  if (options.follow !== true) return;
  await new Promise<never>(() => {
    watchFile(path, { interval: 200 }, ({ size }) => {
      const from = size < end ? 0 : end; // it was emptied
      end = size;
      void print(context, path, from, size);
    });
  });
}

async function print(context: CommandContext, path: string, from: number, to: number): Promise<void> {
  if (to <= from) return;
  let text = "";
  for await (const chunk of createReadStream(path, { start: from, end: to - 1, encoding: "utf8" }))
    text += chunk;
  const whole = from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  if (whole.length > 0) context.printer.data(whole.replace(/\n$/, ""));
}
