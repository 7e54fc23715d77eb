/** Whether a signal was aborted because a time limit was over. */
export function isTimedOut(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
}
