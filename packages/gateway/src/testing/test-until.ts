import assert from "node:assert/strict";

/** Waits, in a test, for something that happens soon. */
export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 500, `still not: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
