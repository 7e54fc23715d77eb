import { type Connection, type Contract, RpcError } from "@catalyst/rpc";
import pc from "picocolors";
import type { CommandContext } from "../src/context.ts";
import type { OutputFormat } from "../src/output.ts";

/** What each process of a node answers, by method, or how it does; a process that is left out does not answer. */
export type Answers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A command's context that asks nobody and keeps what is printed. */
export function recordingContext(
  answers: Answers,
  options: { width?: number; format?: OutputFormat; dataDir?: string } = {},
): { context: CommandContext; printed: string[] } {
  const printed: string[] = [];
  const connect = async <C extends Contract>(process: string, _contract: C): Promise<Connection<C>> => {
    const methods = answers[process];
    if (methods === undefined) throw new RpcError("unreachable", `the ${process} does not answer`);
    const call = Object.fromEntries(
      Object.entries(methods).map(([name, value]) => [
        name,
        async (input: unknown) => (typeof value === "function" ? value(input) : value),
      ]),
    );
    return { call, [Symbol.dispose]: () => undefined } as unknown as Connection<C>;
  };
  const printer = {
    colours: pc.createColors(false),
    interactive: false,
    data: (text: string) => void printed.push(...text.split("\n")),
    bytes: async (bytes: Uint8Array) => {
      printed.push(...new TextDecoder().decode(bytes).trimEnd().split("\n"));
    },
    talk: () => undefined,
    fail: () => undefined,
    width: () => options.width,
    repaint: () => undefined,
    screen: () => ({ width: 79, height: 23 }),
  };
  const { format = "table", dataDir = "/nowhere" } = options;
  return { context: { printer, format, dataDir, connect }, printed };
}
