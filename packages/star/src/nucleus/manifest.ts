import { writeSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** A file of a tree, as its source told of it: the path below the folder, bytes, and seconds since 1970. */
export type TreeFile = {
  readonly path: string;
  readonly size: number;
  readonly modifiedAt: number;
  readonly mode?: number;
};

type Line = TreeFile & { readonly checksum: string };

/**
 * Which files of a tree stand at their destination already: a line of JSON for each, in a file of the Nucleus. What a
 * kill cut off at the end is done again.
 */
export class Manifest implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #done: ReadonlyMap<string, Line>;

  private constructor(path: string, handle: FileHandle, done: ReadonlyMap<string, Line>) {
    this.#path = path;
    this.#handle = handle;
    this.#done = done;
  }

  /** Opens it to go on where `resume` is given and it is of this very order, else anew. Throws what the system says. */
  static async open(
    path: string,
    order: { readonly from: string; readonly to: string },
    resume: boolean,
  ): Promise<Manifest> {
    const head = JSON.stringify(order);
    const lines = resume ? await readLines(path) : [];
    const isOurs = lines[0] === head;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, isOurs ? "a" : "w", 0o600);
    // A line that was cut off stays as it is: what follows begins on a line of its own.
    await handle.write(isOurs ? "\n" : `${head}\n`);
    return new Manifest(path, handle, isOurs ? doneOf(lines.slice(1)) : new Map());
  }

  /** Whether a file stands at its destination as the source has it now. */
  has({ path, size, modifiedAt }: TreeFile): boolean {
    const done = this.#done.get(path);
    return done !== undefined && done.size === size && done.modifiedAt === modifiedAt;
  }

  /** Notes a file that was replicated, at once: by the thread pool that takes ten times as long. Throws what the system says. */
  note(file: TreeFile, checksum: string): void {
    const line = Buffer.from(`${JSON.stringify({ ...file, checksum })}\n`);
    for (let written = 0; written < line.length; ) written += writeSync(this.#handle.fd, line, written);
  }

  /** All is done: nothing is left to go on with. */
  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

async function readLines(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function doneOf(lines: readonly string[]): Map<string, Line> {
  const done = new Map<string, Line>();
  for (const text of lines) {
    try {
      const line: Line = JSON.parse(text);
      if (typeof line.path === "string" && typeof line.checksum === "string") done.set(line.path, line);
    } catch {
      // It was cut off: its file is replicated again.
    }
  }
  return done;
}
