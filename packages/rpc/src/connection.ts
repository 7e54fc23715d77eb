import { newWebSocketRpcSession } from "capnweb";
import { WebSocket } from "ws";
import {
  type CallOptions,
  type Client,
  type Contract,
  faultsOf,
  type Method,
  openEnvelope,
} from "./contract.ts";
import { RpcError } from "./errors.ts";
import { maxMessageBytes, rpcPath } from "./server.ts";

/** A connection to one process. `closed` resolves when it ends, for whatever reason. */
export type Connection<C extends Contract> = Disposable & {
  readonly call: Client<C>;
  readonly peer: { readonly pid: number; readonly release: string; readonly startedAt: string };
  readonly closed: Promise<void>;
};

export type ConnectOptions = CallOptions & { readonly signal?: AbortSignal };

const defaultTimeoutMs = 10_000;

type Session = Disposable & {
  readonly onRpcBroken: (callback: () => void) => void;
  readonly [method: string]: unknown;
};

/** How each call under way is told that the connection has ended. */
type Pending = Set<() => void>;

/**
 * Connects to a process's socket and agrees on the interface version.
 *
 * Throws {@link RpcError} `unreachable`, `timeout` or `version_unsupported`.
 *
 * @example
 * ```ts
 * using orchestrator = await connectRpc(socketPath(dataDir, "orchestrator"), orchestratorContract);
 * const services = await orchestrator.call.listServices(undefined);
 * ```
 */
export async function connectRpc<C extends Contract>(
  path: string,
  contract: C,
  options: ConnectOptions = {},
): Promise<Connection<C>> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const socket = await openSocket(path, timeoutMs, options.signal);
  const pending: Pending = new Set();
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      for (const giveUp of pending) giveUp();
      resolve();
    });
  });
  const session = newWebSocketRpcSession(socket as unknown as globalThis.WebSocket, undefined, {
    limits: { maxMessageSize: maxMessageBytes, maxDepth: 64 },
  }) as unknown as Session;
  session.onRpcBroken(() => socket.close());
  const call = {} as Record<string, unknown>;
  for (const [name, method] of Object.entries(contract.methods)) {
    call[name] = (input: unknown, each: CallOptions = {}) =>
      callOnce(session, name, method, input, pending, each.timeoutMs ?? timeoutMs);
  }
  const dispose = () => {
    session[Symbol.dispose]();
    socket.close();
  };
  try {
    const peer = (await (call["hello"] as (input: unknown) => Promise<unknown>)({
      contract: contract.name,
      versions: [...contract.versions],
    })) as Connection<C>["peer"];
    return { call: call as Client<C>, peer, closed, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function callOnce(
  session: Session,
  name: string,
  method: Method,
  input: unknown,
  pending: Pending,
  timeoutMs: number,
): Promise<unknown> {
  const checked = method.input.safeParse(input);
  if (!checked.success) throw new RpcError("invalid_request", `${name}: ${faultsOf(checked.error)}`);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new RpcError("timeout", `${name} was not answered within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  let giveUp = () => {};
  const gone = new Promise<never>((_, reject) => {
    giveUp = () => reject(new RpcError("disconnected", `the process went away during ${name}`));
  });
  pending.add(giveUp);
  try {
    const remote = session[name] as (input: unknown) => Promise<unknown>;
    const answered = remote(checked.data).then(undefined, (error: unknown) => {
      throw new RpcError("disconnected", `${name} failed: the connection broke`, { cause: error });
    });
    return openEnvelope(method, await Promise.race([answered, timeout, gone]));
  } finally {
    clearTimeout(timer);
    pending.delete(giveUp);
  }
}

function openSocket(path: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws+unix://${path}:${rpcPath}`, {
      handshakeTimeout: timeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
    });
    const abort = () => socket.terminate();
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("open", () => resolve(socket));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reject(new RpcError("unreachable", `nothing answers on ${path}: ${error.message}`, { cause: error }));
    });
    socket.once("close", () => signal?.removeEventListener("abort", abort));
  });
}
