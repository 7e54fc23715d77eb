// Loaded into the processes of a node before anything else: time in its auth process is ahead by what a file says, in
// ms. Signing keys wait for ten minutes before they sign, and no test can.
import { readFileSync } from "node:fs";

const file = process.env["FORWARD_CLOCK"];
if (file !== undefined && process.argv.includes("auth")) {
  const now = Date.now;
  Date.now = () => now() + Number(readFileSync(file, "utf8"));
}
