import { status } from "@grpc/grpc-js";

/**
 * Why a star, or who commands stars, did not do what was asked.
 *
 * | code | what to do |
 * |---|---|
 * | `path_invalid` | a path is not empty, has no NUL, at most 4,095 bytes and 255 in each name |
 * | `path_outside` | the path leads out of the folders that the star allows, by `..`, by another root or by a symbolic link: name a file below one of them |
 * | `path_missing` | there is no such file or folder: look with ScanDirectory |
 * | `path_in_use` | a folder stands where the file should be, a file where a folder should be, or another replication writes it: choose another path |
 * | `file_special` | it is a device, a FIFO or a socket: only regular files are served |
 * | `file_linked` | the file has several names and this star refuses those: copy it, or start the star with `--hard-links allow` |
 * | `folder_wanted` | it is a file and no folder |
 * | `file_wanted` | it is a folder and no file: `--recursive` replicates folders |
 * | `access_denied` | the star's user may not do that: look at the owner and mode of the file |
 * | `file_changed` | the file changed while it was read: try again when it rests |
 * | `range_invalid` | the range begins behind the end of the file |
 * | `length_excessive` | a header of more than 1 MiB was asked for: use ReadStream |
 * | `disk_full` | free space at the destination; nothing stands under the final name |
 * | `disk_failed` | the message has the system's reason, such as a file system that is read-only |
 * | `token_invalid` | the transfer token is none, or not by the Nucleus, or not signed with the star's `--auth-secret`: give all stars and the Nucleus the same one |
 * | `token_expired` | mint another one; look at both clocks |
 * | `token_mismatch` | the token is good for another file |
 * | `token_reused` | the token's `jti` belongs to another replication: mint one for each |
 * | `session_missing` | call Handshake, and send its id as the metadata `session-id`; sessions end when they rest |
 * | `request_invalid` | the message names the field |
 * | `busy` | too many replications run at once, or too many files are open: try again later |
 * | `source_unreachable` | no source could be reached: look at its address, or let the Nucleus relay |
 * | `source_refused` | a source that names no code of these refused; the message has its status and words |
 * | `source_silent` | the source sent nothing for too long |
 * | `source_outdated` | the source knows no ReadStream: let the Nucleus relay |
 * | `content_mismatch` | what came is not of the size or the SHA-256 that was expected: nothing stands under the final name |
 * | `cancelled` | the caller gave up; what came stays as a part that a later call with `resume` uses |
 * | `star_unreachable` | nobody answers at the address of the star: start it, or look at the address and the network |
 * | `star_refused` | the star does not accept the token of the Nucleus: give it the star's own |
 * | `star_outdated` | the star knows no such call, the message says which: replace that star |
 * | `star_failed` | a star that names no code of these refused, or has a fault; the message has its status and words, its log may have more |
 * | `tls_wanted` | the star speaks TLS and was met in plain text: write `https://` before its address |
 * | `tls_missing` | the star speaks plain text and was met over TLS: write `http://` before its address, or start it with a certificate |
 * | `certificate_untrusted` | the star's certificate is of no authority that is believed, or not good today: name its authority (`--tls-authorities`, `star.tls.authoritiesFile`; of a star that fetches, `--source-authorities`), or renew the certificate |
 * | `certificate_mismatch` | the star's certificate is for other names or addresses than the one by which it is reached: reach it by one of those, or have one made for it |
 * | `certificate_wanted` | the star wants a certificate of one of its authorities: give one with its key (`--tls-certificate`, `--tls-key`) |
 * | `certificate_invalid` | the message names the file that cannot be used: certificates and keys are PEM, keys unencrypted, and fit each other |
 * | `listen_failed` | the address is in use, or not of this machine: choose another with `--port`, `--bind` or `--metrics` |
 * | `proc_missing` | without /proc a star cannot hold paths inside of its folders: mount it, or run elsewhere |
 */
export type StarErrorCode =
  | "path_invalid"
  | "path_outside"
  | "path_missing"
  | "path_in_use"
  | "file_special"
  | "file_linked"
  | "folder_wanted"
  | "file_wanted"
  | "access_denied"
  | "file_changed"
  | "range_invalid"
  | "length_excessive"
  | "disk_full"
  | "disk_failed"
  | "token_invalid"
  | "token_expired"
  | "token_mismatch"
  | "token_reused"
  | "session_missing"
  | "request_invalid"
  | "busy"
  | "source_unreachable"
  | "source_refused"
  | "source_silent"
  | "source_outdated"
  | "content_mismatch"
  | "cancelled"
  | "star_unreachable"
  | "star_refused"
  | "star_outdated"
  | "star_failed"
  | "tls_wanted"
  | "tls_missing"
  | "certificate_untrusted"
  | "certificate_mismatch"
  | "certificate_wanted"
  | "certificate_invalid"
  | "listen_failed"
  | "proc_missing";

/** The gRPC status that a caller gets with each code, where no source's own goes through. */
const grpcStatus: Readonly<Record<StarErrorCode, status>> = {
  path_invalid: status.INVALID_ARGUMENT,
  path_outside: status.PERMISSION_DENIED,
  path_missing: status.NOT_FOUND,
  path_in_use: status.FAILED_PRECONDITION,
  file_special: status.PERMISSION_DENIED,
  file_linked: status.PERMISSION_DENIED,
  folder_wanted: status.FAILED_PRECONDITION,
  file_wanted: status.FAILED_PRECONDITION,
  access_denied: status.PERMISSION_DENIED,
  file_changed: status.ABORTED,
  range_invalid: status.OUT_OF_RANGE,
  length_excessive: status.INVALID_ARGUMENT,
  disk_full: status.RESOURCE_EXHAUSTED,
  disk_failed: status.FAILED_PRECONDITION,
  token_invalid: status.PERMISSION_DENIED,
  token_expired: status.PERMISSION_DENIED,
  token_mismatch: status.PERMISSION_DENIED,
  token_reused: status.PERMISSION_DENIED,
  session_missing: status.UNAUTHENTICATED,
  request_invalid: status.INVALID_ARGUMENT,
  busy: status.RESOURCE_EXHAUSTED,
  source_unreachable: status.UNAVAILABLE,
  source_refused: status.FAILED_PRECONDITION,
  source_silent: status.DEADLINE_EXCEEDED,
  source_outdated: status.UNIMPLEMENTED,
  content_mismatch: status.DATA_LOSS,
  cancelled: status.CANCELLED,
  star_unreachable: status.UNAVAILABLE,
  star_refused: status.UNAUTHENTICATED,
  star_outdated: status.UNIMPLEMENTED,
  star_failed: status.UNKNOWN,
  tls_wanted: status.FAILED_PRECONDITION,
  tls_missing: status.FAILED_PRECONDITION,
  certificate_untrusted: status.FAILED_PRECONDITION,
  certificate_mismatch: status.FAILED_PRECONDITION,
  certificate_wanted: status.FAILED_PRECONDITION,
  certificate_invalid: status.FAILED_PRECONDITION,
  listen_failed: status.FAILED_PRECONDITION,
  proc_missing: status.FAILED_PRECONDITION,
};

/** Whether a word is one of the codes. */
export function isStarErrorCode(word: string): word is StarErrorCode {
  return Object.hasOwn(grpcStatus, word);
}

/** The gRPC status that stands for a code. */
export function statusOf(code: StarErrorCode): status {
  return grpcStatus[code];
}

/** The one error of this package. */
export class StarError extends Error {
  override readonly name = "StarError";
  readonly code: StarErrorCode;
  /** The gRPC status that a caller gets: the code's own, or the one that a source answered with. */
  readonly status: status;

  constructor(code: StarErrorCode, message: string, options: ErrorOptions & { status?: status } = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status ?? grpcStatus[code];
  }
}

/** What the system's refusal of a file operation means; `path` is as the caller named it. */
export function systemError(path: string, cause: unknown): StarError {
  if (cause instanceof StarError) return cause;
  const { code = "" } = cause as NodeJS.ErrnoException;
  const known = systemErrors[code];
  const [of, words] = known ?? ["disk_failed", `the system says ${code || String(cause)}`];
  return new StarError(of, `${path}: ${words}`, { cause });
}

const systemErrors: Readonly<Record<string, readonly [StarErrorCode, string]>> = {
  ENOENT: ["path_missing", "there is no such file or folder"],
  ENOTDIR: ["path_missing", "a file stands where a folder is named"],
  EACCES: ["access_denied", "the star's user may not do that"],
  EPERM: ["access_denied", "the star's user may not do that"],
  ELOOP: ["path_outside", "a symbolic link stands in the path"],
  EISDIR: ["path_in_use", "a folder has this name"],
  ENOTEMPTY: ["path_in_use", "a folder has this name"],
  ENAMETOOLONG: ["path_invalid", "the path is too long"],
  EILSEQ: ["path_invalid", "this file system takes no such name"],
  ENOSPC: ["disk_full", "no space is left"],
  EDQUOT: ["disk_full", "the quota is used up"],
  EFBIG: ["disk_full", "this file system has no files of that size"],
  EROFS: ["disk_failed", "the file system is read-only"],
  EMFILE: ["busy", "too many files are open"],
  ENFILE: ["busy", "too many files are open"],
};
