import { z } from "zod";
import { RpcError, type RpcErrorCode } from "./errors.ts";

/** One call: what goes in and what comes out, both checked at run time on the side that receives them. */
export type Method<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> = {
  readonly input: I;
  readonly output: O;
};

/** The calls that a process answers. Every call takes one value. */
export type Methods = Readonly<Record<string, Method>>;

/** A named interface; `versions` lists the interface versions that this release speaks, best first. */
export type Contract<M extends Methods = Methods> = {
  readonly name: string;
  readonly versions: readonly number[];
  readonly methods: M;
};

/** A contract as its caller sees it. A call rejects with {@link RpcError} and nothing else. */
export type Client<C extends Contract> = {
  readonly [K in keyof C["methods"]]: (
    input: z.input<C["methods"][K]["input"]>,
    options?: CallOptions,
  ) => Promise<z.output<C["methods"][K]["output"]>>;
};

export type CallOptions = {
  /** Default 10,000 ms, or the connection's own default. */
  readonly timeoutMs?: number;
};

/** A contract as its callee implements it. */
export type Implementation<C extends Contract> = {
  readonly [K in keyof C["methods"]]: (
    input: z.output<C["methods"][K]["input"]>,
  ) => Promise<z.input<C["methods"][K]["output"]>> | z.input<C["methods"][K]["output"]>;
};

/** What crosses the socket for one call: an error travels as data, so that its code survives. */
export type Envelope =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: RpcErrorCode; readonly message: string };

const envelope = z.union([
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), code: z.string(), message: z.string() }),
]);

export function defineMethod<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): Method<I, O> {
  return { input, output };
}

export function defineContract<M extends Methods>(contract: Contract<M>): Contract<M> {
  return contract;
}

/** Answers one call: checks the input, runs the implementation, checks what it returned. Never throws. */
export async function answer(
  method: Method,
  run: (input: unknown) => unknown,
  input: unknown,
  onInternal: (error: unknown) => void,
): Promise<Envelope> {
  const parsed = method.input.safeParse(input);
  if (!parsed.success) return failure("invalid_request", faultsOf(parsed.error));
  try {
    const output = method.output.safeParse(await run(parsed.data));
    if (output.success) return { ok: true, value: output.data };
    onInternal(output.error);
    return failure("internal", `the answer does not fit the interface: ${faultsOf(output.error)}`);
  } catch (error) {
    if (error instanceof RpcError) return failure(error.code, error.message);
    onInternal(error);
    return failure("internal", error instanceof Error ? error.message : String(error));
  }
}

/** Opens what came back for one call: the checked value, or the callee's error with its code. */
export function openEnvelope(method: Method, received: unknown): unknown {
  const parsed = envelope.safeParse(received);
  if (!parsed.success) throw new RpcError("invalid_response", "the answer is not an envelope");
  if (!parsed.data.ok) throw new RpcError(parsed.data.code as RpcErrorCode, parsed.data.message);
  const value = method.output.safeParse(parsed.data.value);
  if (value.success) return value.data;
  throw new RpcError("invalid_response", `the answer does not fit the interface: ${faultsOf(value.error)}`);
}

/** How many faults of one value are told. */
const mostFaults = 3;

/** What is wrong with a value, in one line: where, and what. */
export function faultsOf({ issues }: z.ZodError): string {
  const told = issues
    .slice(0, mostFaults)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")} ${message}`));
  const rest = issues.length - told.length;
  return [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
}

function failure(code: RpcErrorCode, message: string): Envelope {
  return { ok: false, code, message };
}
