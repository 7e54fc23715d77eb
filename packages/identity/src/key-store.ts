import { chmod, mkdir, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { claimFolder, diskFileSystem, replaceFile } from "@catalyst/durable";
import { isLabel } from "@catalyst/wire";
import { IdentityError } from "./errors.ts";
import { type KeyFile, openKeyFile, readKeyFile, writeKeyFile } from "./key-file.ts";
import { generateKey, type KeyAlgorithm, type PrivateKey } from "./private-key.ts";
import type { Kid, PublicKey } from "./public-key.ts";

/** A key that is kept, as far as it is public. */
export type KeptKey = {
  readonly name: string;
  readonly publicKey: PublicKey;
  readonly kid: Kid;
  readonly encrypted: boolean;
  readonly path: string;
};

/**
 * A folder of keys that its owner alone may enter, one file for each. All methods throw {@link IdentityError}, and
 * DurableError `disk_full` or `io_failed`.
 */
export type KeyStore = {
  /** Makes a key and keeps it. Throws `key_name`, `key_exists`, `keys_in_use` or `passphrase_missing`. */
  create(name: string, algorithm: KeyAlgorithm, options?: KeySecret): Promise<KeptKey>;
  /** All keys, by name. Throws `key_damaged` or `permissions_open` when one of the files is not as it should be. */
  list(): Promise<readonly KeptKey[]>;
  /** What is public of a key. Throws `key_name`, `key_not_found`, `key_damaged` or `permissions_open`. */
  show(name: string): Promise<KeptKey>;
  /** Opens a key. Throws as `show` does, and `passphrase_missing` or `passphrase_wrong`. */
  open(name: string, options?: KeySecret): Promise<PrivateKey>;
  /** Removes a key for ever, durably; none of that name is as good. Throws `key_name`. */
  remove(name: string): Promise<void>;
};

export type KeySecret = {
  /** The passphrase that encrypts the key. Default: none, the file's permissions alone protect it. */
  readonly passphrase?: string;
};

const suffix = ".pem";
const maxFileBytes = 16_384;

/**
 * Opens a folder of keys; the first key that is made makes it where there is none. Throws {@link IdentityError} `permissions_open` when
 * others than its owner may enter it, `keys_unreadable` when it is no folder.
 *
 * @example
 * const keys = await openKeyStore("/var/lib/catalyst/keys");
 * const signer = createSigner(await keys.open("statements"));
 */
export async function openKeyStore(folder: string): Promise<KeyStore> {
  await checkFolder(folder);
  return new FolderKeyStore(folder);
}

/** Where there is a folder, nobody but its owner may enter it. */
async function checkFolder(folder: string): Promise<void> {
  const found = await reading(folder, () => unlessMissing(stat(folder)));
  if (found === null) return;
  if (!found.isDirectory()) {
    throw new IdentityError("keys_unreadable", `${folder} is no folder`, { evidence: { path: folder } });
  }
  checkOwner(folder, found.mode, found.uid);
}

async function makeFolder(folder: string): Promise<void> {
  const made = await reading(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
  if (made !== undefined) await reading(folder, () => chmod(folder, 0o700));
  await checkFolder(folder);
}

/** What an operation on a file gives; null where there is no such file. */
async function unlessMissing<Result>(act: Promise<Result>): Promise<Result | null> {
  try {
    return await act;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

class FolderKeyStore implements KeyStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async create(name: string, algorithm: KeyAlgorithm, { passphrase }: KeySecret = {}): Promise<KeptKey> {
    const path = this.#pathOf(name);
    if (passphrase === "") {
      throw new IdentityError("passphrase_missing", "the passphrase is empty", { evidence: { name } });
    }
    const text = await writeKeyFile(generateKey(algorithm), passphrase ?? null);
    await makeFolder(this.#folder);
    const claimed = claimFolder(this.#folder, { role: "keys" });
    if (claimed.kind === "taken") {
      throw new IdentityError("keys_in_use", `another process adds a key to ${this.#folder}`, {
        evidence: { path: this.#folder },
      });
    }
    using _ = claimed.claim;
    const files = await reading(this.#folder, () => readdir(this.#folder));
    if (files.includes(basename(path))) {
      throw new IdentityError("key_exists", `there is a key ${name}`, { evidence: { name, path } });
    }
    await replaceFile(path, text, { mode: 0o600 });
    return kept(name, path, readKeyFile(text, path));
  }

  async list(): Promise<readonly KeptKey[]> {
    const files = await reading(this.#folder, () => unlessMissing(readdir(this.#folder)));
    const names = (files ?? [])
      .filter((file) => file.endsWith(suffix))
      .map((file) => file.slice(0, -suffix.length))
      .filter((name) => isLabel(name));
    return Promise.all(names.sort().map((name) => this.show(name)));
  }

  async show(name: string): Promise<KeptKey> {
    const path = this.#pathOf(name);
    return kept(name, path, await this.#read(name));
  }

  async open(name: string, { passphrase }: KeySecret = {}): Promise<PrivateKey> {
    return openKeyFile(await this.#read(name), passphrase ?? null, this.#pathOf(name));
  }

  async remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    if ((await diskFileSystem.stat(path)) === null) return;
    await diskFileSystem.remove(path);
    await diskFileSystem.syncFolder(this.#folder);
  }

  async #read(name: string): Promise<KeyFile> {
    const path = this.#pathOf(name);
    const text = await reading(path, () => readOwned(path));
    if (text === null) {
      throw new IdentityError("key_not_found", `there is no key ${name} in ${this.#folder}`, {
        evidence: { name, path },
      });
    }
    return readKeyFile(text, path);
  }

  #pathOf(name: string): string {
    if (isLabel(name)) return join(this.#folder, `${name}${suffix}`);
    throw new IdentityError(
      "key_name",
      `"${name}" cannot be the name of a key: use lower-case letters, digits and hyphens`,
      { evidence: { name } },
    );
  }
}

function kept(name: string, path: string, { publicKey, kid, encrypted }: KeyFile): KeptKey {
  return { name, publicKey, kid, encrypted, path };
}

/** The text of a file that its owner alone may read and write; null where there is none. */
async function readOwned(path: string): Promise<string | null> {
  await using opened = await unlessMissing(open(path, "r"));
  if (opened === null) return null;
  const { mode, uid, size } = await opened.stat();
  checkOwner(path, mode, uid);
  if (size > maxFileBytes) {
    throw new IdentityError("key_damaged", `${path} is too large for a key`, { evidence: { path } });
  }
  return opened.readFile("utf8");
}

/** Nobody but the owner may have rights, and the owner is this process's user, or root. */
function checkOwner(path: string, mode: number, uid: number): void {
  const own = process.getuid?.();
  const open = (mode & 0o077) !== 0;
  if (!open && (own === undefined || uid === own || uid === 0)) return;
  const problem = open
    ? "is open to others than its owner: chmod go-rwx it, and consider its keys known"
    : "belongs to another user";
  throw new IdentityError("permissions_open", `${path} ${problem}`, { evidence: { path } });
}

/** Puts the system's refusals in the terms of this package. */
async function reading<Result>(path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof IdentityError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new IdentityError("keys_unreadable", `cannot read ${path}: ${reason}`, {
      cause,
      evidence: { path },
    });
  }
}
