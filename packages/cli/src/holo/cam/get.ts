import { contentContract, type GotBytes, getBytes, RpcError, socketPath } from "@catalyst/rpc";
import { type Cid, parseCid, visible } from "@catalyst/wire";
import { formatBytes } from "../../byte-size.ts";
import { type CommandContext, unreachable } from "../../context.ts";
import { CommandError, exitCode } from "../../exit-code.ts";
import { onInterruption } from "../../interruption.ts";
import { printValue } from "../../output.ts";
import { showProgress } from "../../progress.ts";
import {
  type ContentCheck,
  checkContent,
  checkFile,
  checkSha256,
  isManifest,
  manifestLimits,
  neverRight,
} from "./content-check.ts";
import { damageText } from "./damage.ts";
import { openTarget } from "./target-file.ts";

export type GetOptions = {
  readonly namespace: string;
  readonly out?: string;
  readonly range?: string;
  readonly manifest?: boolean;
  readonly force?: boolean;
};

type Range = { readonly start: number; readonly end?: number };

/** `holo cam get OBJECT`: to a file, or to whatever reads the standard output. */
export async function getObject(context: CommandContext, options: GetOptions, object: string): Promise<void> {
  const { printer, format } = context;
  const { out, force = false, manifest = false } = options;
  const range = options.range === undefined ? undefined : parseRange(options.range);
  if (out === undefined) {
    if (printer.width() !== undefined) {
      const how = "name a file with --out, or give them to another program with |";
      throw new CommandError(exitCode.usage, `bytes are not for a terminal: ${how}`);
    }
    await receive(context, { ...options, object, manifest, range }, (bytes) => printer.bytes(bytes));
    return;
  }
  using interruption = onInterruption(`Interrupted: ${out} was not written.`);
  const { signal } = interruption;
  await using target = await openTarget(out, force);
  const got = await receive(context, { ...options, object, manifest, range, signal }, (bytes) =>
    target.write(bytes),
  );
  await target.commit();
  printValue(printer, format, { file: out, ...got }, () => [
    `${got.cid}  ${formatBytes(got.lengthBytes)}  ${visible(out)}${got.verified ? "" : "  (a part, as the node verified it)"}`,
  ]);
}

type Asked = {
  readonly object: string;
  readonly namespace: string;
  readonly manifest: boolean;
  readonly range: Range | undefined;
  readonly signal?: AbortSignal;
};

type Received = {
  readonly cid: string;
  readonly sizeBytes: number;
  readonly lengthBytes: number;
  /** Whether the bytes were checked here too, against their CID: the whole object's are. */
  readonly verified: boolean;
};

async function receive(
  context: CommandContext,
  asked: Asked,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<Received> {
  try {
    return await receiveChecked(context, asked, take);
  } catch (error) {
    asked.signal?.throwIfAborted();
    if (!(error instanceof RpcError)) throw error;
    if (error.code === "unreachable") throw unreachable(context.dataDir, "content", error);
    throw error.code === "disconnected" ? await explainEnd(context, asked, error) : error;
  }
}

async function receiveChecked(
  { dataDir, printer }: CommandContext,
  asked: Asked,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<Received> {
  using progress = showProgress(printer);
  const { object, namespace, manifest, range, signal } = asked;
  const path = socketPath(dataDir, "content");
  const got = await getBytes({
    ...{ socketPath: path, object, namespace },
    ...(manifest ? { manifest: "true" } : {}),
    ...(range === undefined ? {} : { range }),
    ...(signal === undefined ? {} : { signal }),
  });
  const { cid, sizeBytes, lengthBytes } = got;
  const checks = lengthBytes === sizeBytes ? await checksOf(asked, path, got) : [];
  let bytes = 0;
  for await (const piece of got.bytes) {
    for (const check of checks) check.update(piece);
    await take(piece);
    bytes += piece.length;
    progress.update({ label: `get ${object}`, bytes, totalBytes: lengthBytes });
  }
  if (bytes !== lengthBytes || !checks.every((check) => check.matches())) {
    const which = `what came for ${object} is not what its CID says`;
    const where = "the process or its socket is not what it should be: `catalyst check`";
    throw new CommandError(exitCode.failed, `${which}: do not use it; ${where}`);
  }
  return { cid, sizeBytes, lengthBytes, verified: checks.length > 0 };
}

/** What the whole object has to be: what its CID says, and what was asked for. */
async function checksOf(
  { object, namespace, manifest }: Asked,
  path: string,
  got: GotBytes,
): Promise<readonly ContentCheck[]> {
  const cid = parseCid(got.cid);
  if (manifest || !isManifest(cid)) return [checkContent(cid), ...askedFor(object, cid)];
  const found = await getBytes({ socketPath: path, object: cid, namespace, manifest: "true" });
  return [checkFile(cid, await readManifest(found.bytes)), ...askedFor(object, cid)];
}

/** A digest that was asked for has to be that of what came; a name is the node's to resolve. */
function askedFor(object: string, cid: Cid): readonly ContentCheck[] {
  const digest = /^sha256:(.*)$/.exec(object)?.[1];
  if (digest !== undefined) return [checkSha256(digest)];
  return /^b[a-z2-7]{50,}$/.test(object) && object !== cid ? [neverRight] : [];
}

async function readManifest(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    pieces.push(piece);
    length += piece.length;
    if (length > manifestLimits.maxBytes) break; // it will not match its CID
  }
  return Buffer.concat(pieces);
}

/** Bytes that end early may be damaged on the disk: the process does not give them, and knows where. */
async function explainEnd(context: CommandContext, asked: Asked, error: RpcError): Promise<unknown> {
  try {
    using content = await context.connect("content", contentContract);
    const { object, namespace } = asked;
    const { damage } = await content.call.stat({ object, namespace });
    if (damage.length === 0) return error;
    const where = damage.map(damageText).join(", ");
    const how = "`holo cam repair` makes it whole from where it is placed; or put it again";
    return new RpcError("object_damaged", `${object} is damaged on the disk: ${where}. ${how}`, {
      cause: error,
    });
  } catch {
    return error;
  }
}

/** Reads `START-END`, the first and the last byte as HTTP has them, or `START-`. */
function parseRange(text: string): Range {
  const [, first = "", last = ""] = /^(\d{1,15})-(\d{0,15})$/.exec(text) ?? [];
  const start = Number(first || Number.NaN);
  if (last === "" && !Number.isNaN(start)) return { start };
  if (Number(last) >= start) return { start, end: Number(last) + 1 };
  const form = "START-END, the first and the last byte counted from 0 (0-99 is a hundred bytes), or START-";
  throw new CommandError(exitCode.usage, `--range is ${form}, not "${text}"`);
}
