import type { Writable } from "node:stream";
import { destination, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from "pino";
import type { LogLevel } from "./log-level.ts";
import { redact } from "./redact.ts";

/** Writes one line: fields for machines, a message for people. An error goes into the field `err`. */
export type LogFunction = {
  (message: string): void;
  (fields: object, message: string): void;
};

/**
 * Writes events as JSON lines `{ level, time, process, …fields, msg }`: the level as a word, the time in ISO 8601.
 * What belongs to a request carries its `requestId`. Secrets are left out by the name of their field.
 */
export type Logger = {
  readonly trace: LogFunction;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger;
};

export type LoggerOptions = {
  /** Which process of the node this is. */
  readonly process: string;
  /** The least urgent level that is written; default `info`. */
  readonly level?: LogLevel;
  /** Default `stderr`, written at once so that nothing is lost when the process dies. */
  readonly destination?: "stderr" | Writable;
};

/**
 * Makes the logger of a process.
 *
 * @example
 * const logger = createLogger({ process: "gateway" });
 * logger.info({ service: "products" }, "serving");
 */
export function createLogger(options: LoggerOptions): Logger {
  const { destination: target = "stderr" } = options;
  const lines = pino(
    {
      level: options.level ?? "info",
      base: { process: options.process },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }), log: redact },
      serializers: { err: serializeError },
    },
    target === "stderr" ? errorOutput() : target,
  );
  return loggerOver(lines);
}

/** What may wait for a disk that takes no more; older lines are written, newer ones are dropped. */
const maxWaitingBytes = 1024 * 1024;

/** Standard error, written at once. A full disk or a closed pipe costs lines of the log and nothing else. */
function errorOutput() {
  const output = destination({ fd: 2, sync: true, maxLength: maxWaitingBytes });
  output.on("error", () => undefined);
  return output;
}

function loggerOver(lines: PinoLogger): Logger {
  return {
    trace: lines.trace.bind(lines),
    debug: lines.debug.bind(lines),
    info: lines.info.bind(lines),
    warn: lines.warn.bind(lines),
    error: lines.error.bind(lines),
    child: (fields) => loggerOver(lines.child(redact(fields))),
  };
}

function serializeError(error: unknown): unknown {
  return error instanceof Error ? redact(stdSerializers.err(error)) : error;
}
