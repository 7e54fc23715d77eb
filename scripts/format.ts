// npm run format: formats everything, and mends what the linter can mend safely.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const biome = join(root, "node_modules", ".bin", "biome");
const { status } = spawnSync(biome, ["check", "--write", root], { stdio: "inherit" });
process.exitCode = status ?? 1;
