import { StarError } from "../errors.ts";

/** POSIX limits of Linux: PATH_MAX without its final NUL, and NAME_MAX. In bytes. */
const maxPathBytes = 4_095;
const maxNameBytes = 255;

/** Files on their way have such names: whoever named one could put other bytes into a replication of somebody else. */
const partName = /^\.orbit-[0-9a-f]{16}\.(?:part|log)$/i;

/** Whether a name is kept for files on their way. */
export function isPartName(name: string): boolean {
  return partName.test(name);
}

/**
 * The names of which a path is made, without `.` and empty ones. Throws StarError `path_invalid`, and `path_outside` for
 * one with `..`: it has no place below a folder, wherever it would come out.
 */
export function namesOf(path: string): readonly string[] {
  if (path === "" || path.includes("\0"))
    throw new StarError("path_invalid", "a path is not empty and has no NUL");
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw new StarError("path_invalid", `a path has at most ${maxPathBytes} bytes`);
  }
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw new StarError("path_outside", `${path}: .. leads out of a folder`);
  if (names.some((name) => Buffer.byteLength(name) > maxNameBytes)) {
    throw new StarError("path_invalid", `a name in a path has at most ${maxNameBytes} bytes`);
  }
  if (names.some(isPartName)) {
    throw new StarError("path_invalid", `${path}: this name is kept for files on their way`);
  }
  return names;
}
