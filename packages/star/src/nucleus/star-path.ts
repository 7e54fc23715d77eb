import { StarError } from "../errors.ts";

/** A star and a path on it, as people write it. */
export type WrittenStarPath = { readonly star: string; readonly path: string };

/**
 * Reads `STAR:PATH`: a star's name, or where it listens (`host:port`, `http://host:port`, `https://host:port`), and a path on it.
 * Throws StarError `request_invalid`.
 *
 * ```ts
 * readStarPath("http://192.0.2.1:50051:/data/file"); // { star: "http://192.0.2.1:50051", path: "/data/file" }
 * readStarPath("backup:/data/file"); // { star: "backup", path: "/data/file" }
 * ```
 */
export function readStarPath(text: string): WrittenStarPath {
  const [, star, path] =
    /^((?:https?:\/\/)?(?:\[[0-9a-f:.]+\]|[^/:[\]]+):\d{1,5}):(.+)$/is.exec(text) ??
    /^(?!https?:\/\/)([^/:]+):(.+)$/is.exec(text) ??
    [];
  if (star !== undefined && path !== undefined) return { star, path };
  throw new StarError(
    "request_invalid",
    `"${text.slice(0, 200)}" is no STAR:PATH, such as 192.0.2.1:50051:/data/file or backup:/data/file`,
  );
}
