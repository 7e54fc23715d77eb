import { requestSocket } from "@catalyst/rpc";
import type { Probe } from "./child-process.ts";

const timeoutMs = 3_000;
/** Readiness is a few words. */
const maxBytes = 1024 * 1024;

/** Asks a process on its socket whether it is ready; the body of a refusal is the reason. */
export function socketProbe(socketPath: string, path: string): Probe {
  return async () => {
    const { status, body } = await requestSocket({ socketPath, path, timeoutMs, maxBytes });
    return { ready: status === 200, reason: status === 200 ? null : reasonIn(body) };
  };
}

function reasonIn(body: string): string {
  try {
    const { reasons } = JSON.parse(body) as { reasons?: unknown };
    if (Array.isArray(reasons) && reasons.length > 0) return reasons.join("; ");
  } catch {
    // plain text
  }
  return body.trim() === "" ? "not ready" : body.trim();
}
