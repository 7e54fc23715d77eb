import { RpcError } from "@catalyst/rpc";
import { type QuotaExceeded, StoreError } from "@catalyst/store";

/** What the store refuses, as it crosses the socket. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const { code, message } = error;
  switch (code) {
    case "disk_full":
    case "object_damaged":
      return new RpcError(code, message, { cause: error });
    case "object_removed":
    case "chunk_missing":
      return new RpcError("object_not_found", message, { cause: error });
    case "name_invalid":
    case "option_invalid":
    case "manifest_invalid":
      return new RpcError("invalid_request", message, { cause: error });
    default:
      return new RpcError("store_failed", `${message} (${code})`, { cause: error });
  }
}

/** Runs something, and refuses in the terms of the interface. */
export async function answered<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw refusalOf(error);
  }
}

export function notFound(object: string): RpcError {
  return new RpcError("object_not_found", `${object} is not here: \`holo cam ls\` shows what is`);
}

export function overQuota({ namespace, usedBytes, maxBytes }: QuotaExceeded): RpcError {
  return new RpcError(
    "quota_exceeded",
    `namespace ${namespace} holds ${usedBytes} of ${maxBytes ?? 0} bytes: unpin, unlink and collect, or raise its quota`,
  );
}
