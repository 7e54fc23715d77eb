import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { StarError, systemError } from "../errors.ts";
import { namesOf } from "./path.ts";

/** Whether files are served that have another name somewhere, which may be outside of the allowed folders. */
export type HardLinkPolicy = "allow" | "refuse";

/** A regular file that was opened to be read, by its descriptor. */
export type OpenedFile = Disposable & { readonly fd: number; readonly stats: Stats };

/**
 * A folder that is held open. `path` leads to it, whatever happens to its name meanwhile, for as long as it is held: names
 * below it are used as `${path}/name`, and never with a second slash.
 */
export type HeldFolder = Disposable & { readonly path: string };

/** Where a file stands: the folder that holds it, and its name there. */
type Place = Disposable & { readonly folder: string; readonly name: string };

/** Where a file is to stand; `key` tells the folder from all others that are there. */
export type HeldPlace = Place & { readonly key: string };

/**
 * Opens what a call names as a jail does, and finds what stands in the folder of the one before it from there, as that was up to a
 * second ago. Its places outlive it; it is not used any more once it is disposed of.
 */
export type Visit = Disposable & Pick<Jail, "openFile" | "holdPlace">;

/** How long a visit keeps to a folder, in ms: who takes one away from a star is heard. */
const keptMs = 1_000;

type Root = { readonly path: string; readonly spellings: readonly (readonly string[])[] };

/** Opens a name without opening what it stands for: no device notices, no FIFO waits. Linux; Node has no name for it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Keeps paths of others inside of the folders that are allowed to them. Each name on the way is opened from the folder before
 * it and never through a symbolic link, so that nobody who changes names meanwhile leads out; Node has no openat, and
 * /proc/self/fd stands in for it.
 *
 * Names are opened without leaving the thread: each takes two microseconds, and twenty times as many by a thread pool, of which a
 * file needs a dozen (ADR 0031). What a disk may be slow with, reading and syncing, is not done here.
 *
 * An absolute path is one below an allowed folder, as it was named to the star or as it really is. A relative one is below the
 * first allowed folder.
 */
export class Jail {
  readonly #roots: readonly Root[];
  readonly #hardLinks: HardLinkPolicy;

  private constructor(roots: readonly Root[], hardLinks: HardLinkPolicy) {
    this.#roots = roots;
    this.#hardLinks = hardLinks;
  }

  /** Throws StarError `proc_missing`, and `path_missing` or `folder_wanted` for a folder that is none. */
  static open(allow: readonly string[], hardLinks: HardLinkPolicy = "allow"): Jail {
    const roots = allow.map(rootOf);
    checkProc();
    return new Jail(roots, hardLinks);
  }

  /** The allowed folders as they really are. */
  get folders(): readonly string[] {
    return this.#roots.map(({ path }) => path);
  }

  /** For a call that names many files. Throws what the methods throw that it has. `now` in ms. */
  visit(now: () => number = () => performance.now()): Visit {
    const way = new SharedWay(now);
    const walkShared =
      (path: string, make: boolean): Walk =>
      (root, names) =>
        way.walk(root, names, path, make);
    return {
      openFile: (path) => {
        using place = placeIn(this.#roots, path, walkShared(path, false)).place;
        return this.openAt(place, path);
      },
      holdPlace: (path) => withKey(placeIn(this.#roots, path, walkShared(path, true))),
      [Symbol.dispose]: () => way[Symbol.dispose](),
    };
  }

  /** Throws StarError `path_*`, `file_*` and `access_denied`. */
  openFile(path: string): OpenedFile {
    using place = placeIn(this.#roots, path, (root, names) => walk(root, names, path, false)).place;
    return this.openAt(place, path);
  }

  /** Opens what stands at a place, to be read. Throws like `openFile`. */
  openAt({ folder, name }: Place, path: string): OpenedFile {
    try {
      using looked = opened(`${folder}/${name}`, O_PATH | O_NOFOLLOW);
      const stats = fstatSync(looked.fd);
      this.#check(path, stats);
      return { ...opened(throughProc(looked), O_RDONLY | O_NONBLOCK), stats };
    } catch (error) {
      throw systemError(path, error);
    }
  }

  /** Throws StarError `path_*`, `folder_wanted` and `access_denied`. */
  holdFolder(path: string): HeldFolder {
    const { root, names } = resolve(this.#roots, path);
    const folder = walk(root, names, path, false);
    return { path: throughProc(folder), [Symbol.dispose]: () => folder[Symbol.dispose]() };
  }

  /** Where a file is to stand; folders that are missing on the way are made. Throws StarError `path_*` and `access_denied`. */
  holdPlace(path: string): HeldPlace {
    return withKey(placeIn(this.#roots, path, (root, names) => walk(root, names, path, true)));
  }

  #check(path: string, stats: Stats): void {
    if (stats.isSymbolicLink()) throw new StarError("path_outside", `${path}: a symbolic link stands there`);
    if (stats.isDirectory()) throw new StarError("file_wanted", `${path}: this is a folder`);
    if (!stats.isFile()) throw new StarError("file_special", `${path}: no regular file`);
    if (stats.nlink > 1 && this.#hardLinks === "refuse") {
      throw new StarError("file_linked", `${path}: the file has ${stats.nlink} names`);
    }
  }
}

function resolve(
  roots: readonly Root[],
  path: string,
): { readonly root: Root; readonly names: readonly string[] } {
  const names = namesOf(path);
  const [first] = roots;
  if (!path.startsWith("/") && first !== undefined) return { root: first, names };
  const fitting = roots.flatMap((root) =>
    root.spellings.filter((above) => isBelow(names, above)).map((above) => ({ root, depth: above.length })),
  );
  const nearest = fitting.sort((one, other) => other.depth - one.depth)[0];
  if (nearest === undefined)
    throw new StarError("path_outside", `${path}: not below a folder that this star allows`);
  return { root: nearest.root, names: names.slice(nearest.depth) };
}

/** Opens the folder that the names lead to. */
type Walk = (root: Root, names: readonly string[]) => Opened;

function placeIn(roots: readonly Root[], path: string, to: Walk): { folder: Opened; place: Place } {
  const { root, names } = resolve(roots, path);
  const name = names.at(-1);
  if (name === undefined || path.endsWith("/"))
    throw new StarError("file_wanted", `${path}: this is a folder`);
  const folder = to(root, names.slice(0, -1));
  const place = { folder: throughProc(folder), name, [Symbol.dispose]: () => folder[Symbol.dispose]() };
  return { folder, place };
}

function withKey({ folder, place }: ReturnType<typeof placeIn>): HeldPlace {
  return { ...place, key: keyOf(fstatSync(folder.fd, { bigint: true })) };
}

/** What tells a folder or a file from all others that are there. */
export function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** The folder that was walked to last, open for as long as anybody uses it. */
class SharedWay implements Disposable {
  readonly #now: () => number;
  #last: { readonly to: string; readonly until: number; readonly folder: Opened; users: number } | null =
    null;

  constructor(now: () => number) {
    this.#now = now;
  }

  walk(root: Root, names: readonly string[], path: string, make: boolean): Opened {
    const to = [root.path, ...names].join("/");
    const now = this.#now();
    let shared = this.#last;
    if (shared === null || shared.to !== to || now > shared.until) {
      const folder = walk(root, names, path, make);
      this[Symbol.dispose]();
      shared = { to, folder, until: now + keptMs, users: 1 };
      this.#last = shared;
    }
    shared.users += 1;
    return { fd: shared.folder.fd, [Symbol.dispose]: () => leave(shared) };
  }

  [Symbol.dispose](): void {
    if (this.#last !== null) leave(this.#last);
    this.#last = null;
  }
}

function leave(shared: { readonly folder: Opened; users: number }): void {
  shared.users -= 1;
  if (shared.users === 0) shared.folder[Symbol.dispose]();
}

/** Leads to what is open, by Linux' /proc. */
export function throughProc({ fd }: { readonly fd: number }): string {
  return `/proc/self/fd/${fd}`;
}

/** What is open until it is disposed of. */
type Opened = Disposable & { readonly fd: number };

function opened(path: string, flags: number): Opened {
  const fd = openSync(path, flags);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

function rootOf(path: string): Root {
  try {
    const real = realpathSync(path);
    if (!statSync(real).isDirectory()) throw new StarError("folder_wanted", `${path}: this is no folder`);
    const spellings = path.startsWith("/") && !path.split("/").includes("..") ? [namesOf(path)] : [];
    return { path: real, spellings: [...spellings, real === "/" ? [] : namesOf(real)] };
  } catch (error) {
    throw systemError(path, error);
  }
}

function checkProc(): void {
  using folder = opened("/", O_PATH | O_DIRECTORY);
  try {
    using _ = opened(`${throughProc(folder)}/proc`, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (cause) {
    const words = "without /proc/self/fd nothing keeps paths inside of the allowed folders";
    throw new StarError("proc_missing", words, { cause });
  }
}

function isBelow(names: readonly string[], above: readonly string[]): boolean {
  return above.length <= names.length && above.every((name, at) => names[at] === name);
}

function walk(root: Root, names: readonly string[], path: string, make: boolean): Opened {
  try {
    let folder = opened(root.path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    for (const name of names) {
      using above = folder;
      folder = step(above, name, path, make);
    }
    return folder;
  } catch (error) {
    throw systemError(path, error);
  }
}

function step(folder: Opened, name: string, path: string, make: boolean): Opened {
  const at = `${throughProc(folder)}/${name}`;
  try {
    return opened(at, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && make) {
      makeFolder(at);
      return step(folder, name, path, false);
    }
    if (code !== "ENOTDIR") throw error;
    using looked = opened(at, O_PATH | O_NOFOLLOW);
    const stats = fstatSync(looked.fd);
    if (stats.isSymbolicLink() || stats.isDirectory()) {
      throw new StarError("path_outside", `${path}: ${name} is a symbolic link, or was one just now`);
    }
    throw new StarError("folder_wanted", `${path}: ${name === path ? "this" : name} is no folder`);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
