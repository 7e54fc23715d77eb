import type { IncomingMessage } from "node:http";

export type BodyLimits = { readonly maxBytes: number; readonly timeoutMs: number };

/** A body in full, or why it is not: `gone` when the client broke off. */
export type Body = { readonly text: string } | { readonly fault: "too_long" | "too_slow" | "gone" };

/**
 * Reads a body of at most `maxBytes` within `timeoutMs`. Nothing beyond the limit is kept: what still comes of a body
 * that is too long is dropped by node:http after the answer.
 */
export function readBody(request: IncomingMessage, { maxBytes, timeoutMs }: BodyLimits): Promise<Body> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    return Promise.resolve({ fault: "too_long" });
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (body: Body) => {
      clearTimeout(timer);
      request.off("data", take).off("end", finish).off("error", leave).off("close", leave);
      resolve(body);
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > maxBytes) settle({ fault: "too_long" });
    };
    const finish = () => {
      const [only] = chunks;
      const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      settle({ text: whole.toString("utf8") });
    };
    const leave = () => settle({ fault: "gone" });
    const timer = setTimeout(() => settle({ fault: "too_slow" }), timeoutMs);
    request.on("data", take).on("end", finish).on("error", leave).on("close", leave);
  });
}
