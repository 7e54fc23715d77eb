export { type ClaimOutcome, claimFolder, type FolderOwner, readOwner } from "./claim.ts";
export {
  type Database,
  type DatabaseOptions,
  openDatabase,
  type SqlParameters,
  type SqlRow,
  type SqlValue,
  type Statement,
} from "./database.ts";
export { diskFileSystem } from "./disk-file-system.ts";
export { DurableError, type DurableErrorCode, type DurableEvidence } from "./errors.ts";
export { armFailpoints, failpoint, failpointSync } from "./failpoint.ts";
export type { DurableFile, FileStat, FileSystem } from "./file-system.ts";
export {
  type Journal,
  type JournalContent,
  type JournalOptions,
  openJournal,
  readJournal,
} from "./journal.ts";
export { identifyProcess, isRunning, type ProcessIdentity, thisProcess } from "./process-identity.ts";
export { type ReplaceOptions, replaceFile, replaceFileSync } from "./replace-file.ts";
