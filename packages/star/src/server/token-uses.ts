import { StarError } from "../errors.ts";
import type { TransferClaims } from "../transfer-token.ts";

/** So many replications are remembered; the one that was seen first is forgotten for the next. */
const mostRemembered = 100_000;

type Use = { readonly path: string; readonly expiry: number; readonly address: string };

/**
 * Which replication the `jti` of each token stands for: a file, an expiry and who reads. Its retries and parallel ranges come with
 * the same token; from anywhere else it is a copy. Tokens without one are good for whoever has them, as in stars of old.
 */
export class TokenUses {
  readonly #uses = new Map<string, Use>();

  /** Notes that a good token is shown from an address. Throws StarError `token_reused`. */
  note({ jti, allow_file: path, exp: expiry }: TransferClaims, address: string): void {
    if (jti === undefined) return;
    const before = this.#uses.get(jti);
    if (before === undefined) {
      const [first] = this.#uses.keys();
      if (first !== undefined && this.#uses.size >= mostRemembered) this.#uses.delete(first);
      this.#uses.set(jti, { path, expiry, address });
      return;
    }
    if (before.path !== path || before.expiry !== expiry || before.address !== address) {
      throw new StarError("token_reused", "the transfer token stands for another replication");
    }
  }
}
