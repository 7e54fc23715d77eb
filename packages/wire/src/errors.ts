/**
 * Why bytes were refused, or could not be made. spec/wire.md says for each code when exactly it is raised.
 *
 * | code | what to do |
 * |---|---|
 * | `cbor_truncated` | the bytes end inside an item: receive the rest, or refuse the sender |
 * | `cbor_trailing` | bytes follow the item: refuse the sender |
 * | `cbor_too_large` | the encoding is longer than `maxBytes`: split the message, or raise the limit on both sides |
 * | `cbor_too_deep` | more nested than `maxDepth`: flatten the message; on what a peer sent, refuse it |
 * | `cbor_too_many_items` | more items than `maxItems`: split the message, or raise the limit on both sides |
 * | `cbor_not_shortest` | a number or length has a shorter form: the sender's encoder is not deterministic |
 * | `cbor_indefinite` | an indefinite length or a stray break: the sender's encoder is not deterministic |
 * | `cbor_reserved` | a reserved head: the bytes are no CBOR |
 * | `cbor_float` | a number that is no integer: use an integer of a smaller unit |
 * | `cbor_simple` | a simple value other than false, true and null: leave the member out |
 * | `cbor_integer_range` | an integer outside of ±(2^53 - 1): use a byte string |
 * | `cbor_tag` | a tag other than 18: put the value into a map member that says what it is |
 * | `cbor_utf8` | text that is not valid UTF-8, or has a lone surrogate: use a byte string |
 * | `cbor_key_type` | a map key that is neither integer nor text: use one of these; on what a peer sent, refuse it |
 * | `cbor_key_order` | map keys out of order: the sender's encoder is not deterministic |
 * | `cbor_key_duplicate` | a map key occurs twice: refuse the sender |
 * | `cbor_value` | a fault of the caller: the value has no representation; the message names its type |
 * | `cid_malformed` | the text or bytes are no CID in its one canonical form: correct it where it came from |
 * | `cid_unsupported` | a CID of a version, content type or hash that this release does not know: upgrade |
 * | `tree_leaf_size` | leaves are 16, 64 or 256 KiB: choose one of these |
 * | `tree_size` | an object's size is beyond 2^53 - 1: refuse the sender |
 * | `tree_range` | a fault of the caller: ranges are whole numbers with start < end, none starting before the one before has ended |
 * | `tree_mismatch` | the bytes are not those of the root: `evidence` names the place; take them from elsewhere |
 * | `tree_truncated` | the slice ends before its last leaf: ask for the rest; what was verified stays |
 * | `tree_trailing` | bytes follow the slice: refuse the sender |
 * | `frame_empty` | a frame without payload: refuse the sender |
 * | `frame_too_large` | a frame longer than `maxFrameBytes`: split the message; on what a peer sent, refuse it |
 * | `frame_truncated` | the stream ended inside a frame: the last message is lost |
 * | `misused` | a fault of the caller: the message says which order of calls is right |
 */
export type WireErrorCode =
  | "cbor_truncated"
  | "cbor_trailing"
  | "cbor_too_large"
  | "cbor_too_deep"
  | "cbor_too_many_items"
  | "cbor_not_shortest"
  | "cbor_indefinite"
  | "cbor_reserved"
  | "cbor_float"
  | "cbor_simple"
  | "cbor_integer_range"
  | "cbor_tag"
  | "cbor_utf8"
  | "cbor_key_type"
  | "cbor_key_order"
  | "cbor_key_duplicate"
  | "cbor_value"
  | "cid_malformed"
  | "cid_unsupported"
  | "tree_leaf_size"
  | "tree_size"
  | "tree_range"
  | "tree_mismatch"
  | "tree_truncated"
  | "tree_trailing"
  | "frame_empty"
  | "frame_too_large"
  | "frame_truncated"
  | "misused";

/** Where a fault lies, as far as it is known. */
export type WireEvidence = {
  /** Offset in bytes from the start of the input at which reading stopped. */
  readonly at?: number;
  /** The leaves, from `firstLeaf` on and `leaves` in number, that a wrong digest of a tree stands for. */
  readonly firstLeaf?: number;
  readonly leaves?: number;
};

/** The one error of this package. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly code: WireErrorCode;
  readonly evidence: WireEvidence;

  constructor(
    code: WireErrorCode,
    message: string,
    options: ErrorOptions & { evidence?: WireEvidence } = {},
  ) {
    super(message, options);
    this.code = code;
    this.evidence = options.evidence ?? {};
  }
}
