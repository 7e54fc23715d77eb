import { constants } from "node:os";
import { CommandError } from "./exit-code.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** That somebody asks the command to end, while it has something to put in order first. */
export type Interruption = Disposable & {
  /** Aborts at the first such signal; the second one ends the program at once. */
  readonly signal: AbortSignal;
};

/**
 * Listens for Ctrl-C and SIGTERM until it is disposed. The signal's reason is a {@link CommandError} with the exit code
 * that a shell expects, 128 and the signal's number, and these words.
 */
export function onInterruption(words: string): Interruption {
  const controller = new AbortController();
  const listeners = signals.map((name) => {
    const end = () => controller.abort(new CommandError(128 + constants.signals[name], words));
    process.once(name, end);
    return () => process.off(name, end);
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const stop of listeners) stop();
    },
  };
}
