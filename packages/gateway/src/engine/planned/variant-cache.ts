import type { OperationVariant } from "./prepared-operation.ts";

/** Memory for what operations are planned to, of one schema. */
const maxBytes = 64 * 1024 * 1024;

/**
 * What operations were planned to, those used last: clients choose how many documents there are, and how many variants
 * the variables of `@skip` and `@include` make of each.
 */
export class VariantCache {
  readonly #kept = new Map<OperationVariant, () => void>();
  #bytes = 0;

  /** Keeps a variant until others need its place; `drop` is called then. */
  add(variant: OperationVariant, drop: () => void): void {
    this.#kept.set(variant, drop);
    this.#bytes += variant.weight;
  }

  use(variant: OperationVariant): void {
    const drop = this.#kept.get(variant);
    if (drop === undefined) return;
    this.#kept.delete(variant);
    this.#kept.set(variant, drop);
  }

  /** Takes note of what a variant weighs now, and makes room. */
  weigh(variant: OperationVariant, before: number): void {
    if (!this.#kept.has(variant)) return;
    this.#bytes += variant.weight - before;
    for (const [oldest, drop] of this.#kept) {
      if (this.#bytes <= maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= oldest.weight;
      drop();
    }
  }
}
