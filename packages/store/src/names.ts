import { StoreError } from "./errors.ts";

const longest = 512;

/**
 * Refuses what is no name of a namespace, link or scope. A lone surrogate would be another character once it was
 * written. Throws `name_invalid`.
 */
export function checkNames(...names: readonly string[]): void {
  for (const name of names) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    const isText = name.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(name);
    if (isText && name.length >= 1 && name.length <= longest) continue;
    throw new StoreError("name_invalid", `${JSON.stringify(name.slice(0, longest))} is no name`);
  }
}
