/** What programs beside the command line show on a terminal: the same words, the same status. */
export { createPrinter, type Printer } from "./printer.ts";
export { watchStatus } from "./status-screen.ts";
