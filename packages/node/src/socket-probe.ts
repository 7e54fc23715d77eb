import { request } from "node:http";
import type { Probe } from "./child-process.ts";

/** Longest answer that is read; the rest of a longer one is left unread. */
const maxBytes = 64 * 1024 * 1024;

/** One HTTP GET on a Unix socket. Rejects when nothing answers. */
export function getFromSocket(
  socketPath: string,
  path: string,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) response.destroy();
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    call.on("error", reject);
    call.end();
  });
}

/** Asks a process on its socket whether it is ready; the body of a refusal is the reason. */
export function socketProbe(socketPath: string, path: string): Probe {
  return async (signal) => {
    const { status, body } = await getFromSocket(socketPath, path, signal);
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
