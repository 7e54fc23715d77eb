import manifest from "../package.json" with { type: "json" };

/** The release that this process runs. */
export const release: string = manifest.version;
