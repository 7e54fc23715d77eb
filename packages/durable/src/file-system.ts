/**
 * The operations on files that something durable is made of: few enough that a simulator of crashes can stand
 * behind them (`@catalyst/durable/testing`). Paths are absolute. What is missing is null where a result says so;
 * everything else that fails throws DurableError `disk_full` or `io_failed`.
 *
 * SQLite does its own input and output and is not behind it.
 */
export type FileSystem = {
  /**
   * `read` and `update` need the file to be there; `create` needs it not to be, and makes it for its owner alone, or with these
   * permission bits without the umask's.
   */
  open(path: string, how: "read" | "update" | "create", mode?: number): Promise<DurableFile>;
  /** Gives the file another name, in place of a file that had it; of this, all or nothing survives a crash. */
  rename(from: string, to: string): Promise<void>;
  /** Gives the file a second name, which nothing may have. */
  link(from: string, to: string): Promise<void>;
  /** Removes the name of a file where there is one. */
  remove(path: string): Promise<void>;
  /** Makes a folder inside one that is there; does nothing where it is there already. */
  makeFolder(path: string): Promise<void>;
  /** The names inside a folder, sorted; null when there is no such folder. */
  list(path: string): Promise<readonly string[] | null>;
  stat(path: string): Promise<FileStat | null>;
  /** Names made, changed and removed in the folder before survive a power cut once this has resolved. */
  syncFolder(path: string): Promise<void>;
};

export type FileStat = { readonly kind: "file" | "folder"; readonly sizeBytes: number };

/** An open file. Positions are bytes from the start. */
export type DurableFile = {
  /** Fills the target from the position on, and returns how many bytes there were: fewer only at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of the bytes. They are the caller's again, and survive a power cut only after `sync`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Cuts off, or fills up with zeros, to this size in bytes. */
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
};
