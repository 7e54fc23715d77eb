import { test } from "node:test";
import { rotateUnderLoad } from "./rotation.ts";

// `npm run soak -- rotation` does it twenty times.
test("Certificates, roots, token keys and their JWK Sets are rotated under load without a failed request or a failed connection", async (t) => {
  await rotateUnderLoad(3, (text) => t.diagnostic(text));
});
