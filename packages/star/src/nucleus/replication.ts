import type { StarAddress } from "./star-client.ts";

/** A file or folder at a star. */
export type StarPath = { readonly star: StarAddress; readonly path: string };

/**
 * Whether the Nucleus carries the bytes itself: where the stars cannot do it between them (`auto`), never, or always. What it
 * carries it does not keep.
 */
export type RelayPolicy = "auto" | "never" | "always";

export type ReplicateOptions = {
  readonly from: StarPath;
  readonly to: StarPath;
  /**
   * Other stars that have the same file. With `expectedChecksum` the destination takes bytes from several at once, and leaves out who has
   * another file; without it from one after the other, and all have to have the BLAKE3 digest of `from`, else it is `content_mismatch`.
   */
  readonly sources?: readonly StarPath[];
  /** Use what an earlier attempt left at the destination. Default false. */
  readonly resume?: boolean;
  /** Compare the BLAKE3 digests of both files afterwards. Default false. */
  readonly verify?: boolean;
  /** Default `auto`. */
  readonly relay?: RelayPolicy;
  /** In bytes; absent: not checked. */
  readonly expectedSize?: number;
  /** SHA-256, 32 bytes; absent: not checked. */
  readonly expectedChecksum?: Uint8Array;
  /** Permission bits, and seconds since 1970, that the file gets; absent: the star's own. */
  readonly mode?: number;
  readonly modifiedAt?: number;
  readonly signal?: AbortSignal;
  /** Is told when the Nucleus carries the bytes, and why. */
  readonly onRelay?: (why: string) => void;
  /** Is told how far the file is, twice a second at most, by a destination that can tell (ADR 0030). */
  readonly onProgress?: (progress: FileProgress) => void;
};

/** How much of a file is at its destination, in bytes, what was there from an earlier attempt included. */
export type FileProgress = {
  readonly bytes: number;
  /** Null until it is known. */
  readonly totalBytes: number | null;
};

/** A file that stands at its destination, whole. */
export type Replication = {
  readonly bytes: number;
  /** How many of them were there from an earlier attempt. */
  readonly resumed: number;
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly checksum: string;
  /** What went through the Nucleus, in bytes; zero where the stars did it between them. */
  readonly relayed: number;
};
