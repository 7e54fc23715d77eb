import type { Upstream } from "../upstream/upstream.ts";
import type { GatewayEngine } from "./engine.ts";
import { createPlannedEngine, createTypescriptEngine } from "./planned/planned-engine.ts";
import { Planner } from "./planned/planner.ts";

export type EngineChoice = "auto" | "planned" | "typescript";

export type EngineParts = {
  readonly upstream: Upstream;
  readonly planner?: Planner;
  /** Told when `auto` does without the fast engine, and why. */
  readonly onFallback: (reason: string) => void;
};

/** The engine of a choice; `auto` is the planned one where its native part runs, found out with the first schema. */
export function chooseEngine(
  choice: EngineChoice,
  { upstream, planner = new Planner(), onFallback }: EngineParts,
): GatewayEngine {
  const typescript = createTypescriptEngine(upstream);
  if (choice === "typescript") return typescript;
  const planned = createPlannedEngine(upstream, planner);
  if (choice === "planned") return planned;
  let chosen: Promise<GatewayEngine> | null = null;
  const choose = async () => {
    const reason = await planner.unavailable();
    if (reason === null) return planned;
    onFallback(reason);
    return typescript;
  };
  return {
    name: "auto",
    compile: async (input) => {
      chosen ??= choose();
      return await (await chosen).compile(input);
    },
    [Symbol.asyncDispose]: () => planner[Symbol.asyncDispose](),
  };
}
