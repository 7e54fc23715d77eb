import { EvidenceError } from "@catalyst/evidence";

/** The code with which a call is refused; null when it succeeds. Any other error goes on. */
export async function refusal(call: () => unknown): Promise<string | null> {
  try {
    await call();
    return null;
  } catch (error) {
    if (error instanceof EvidenceError) return error.code;
    throw error;
  }
}
