import type { OperationVariant } from "./prepared-operation.ts";

/** Memory for what operations are planned to, of one schema. */
const maxBytes = 64 * 1024 * 1024;

/**
 * What operations were planned to, those used last: clients choose how many documents there are, and how many variants
 * the variables of `@skip` and `@include` make of each. It counts variants and keeps none: one goes with its document,
 * whose source may be many times longer than what is left of it here.
 */
export class VariantCache {
  readonly #kept = new Map<WeakRef<OperationVariant>, number>();
  readonly #gone = new FinalizationRegistry<WeakRef<OperationVariant>>((reference) =>
    this.#remove(reference),
  );
  #bytes = 0;

  /** Counts a variant that is new. */
  add(variant: OperationVariant): void {
    this.#gone.register(variant, variant.reference);
    this.weigh(variant);
  }

  use({ reference }: OperationVariant): void {
    const bytes = this.#kept.get(reference);
    if (bytes === undefined) return;
    this.#kept.delete(reference);
    this.#kept.set(reference, bytes);
  }

  /** Takes note of what a variant weighs now, and drops others to make room. */
  weigh(variant: OperationVariant): void {
    this.#remove(variant.reference);
    this.#kept.set(variant.reference, variant.weight);
    this.#bytes += variant.weight;
    for (const reference of this.#kept.keys()) {
      if (this.#bytes <= maxBytes) return;
      this.#remove(reference);
      reference.deref()?.drop();
    }
  }

  #remove(reference: WeakRef<OperationVariant>): void {
    this.#bytes -= this.#kept.get(reference) ?? 0;
    this.#kept.delete(reference);
  }
}
