export { cidOfBlock } from "./cid/block.ts";
export * from "./portable.ts";
export {
  createTreeHasher,
  type HashedObject,
  hashTree,
  type TreeHasher,
  type TreeHasherOptions,
} from "./tree/hasher.ts";
export {
  createSliceDecoder,
  encodeSlice,
  type ReadBytes,
  type SliceDecoder,
  type SliceDecoderOptions,
  type VerifiedLeaf,
} from "./tree/slice.ts";
export {
  cidOfTree,
  defaultLeafSize,
  type LeafSize,
  leafCount,
  leafSizes,
  openTree,
  outboardLength,
  outboardOffset,
  rootOfCid,
  type Tree,
  type TreeRoot,
} from "./tree/tree.ts";
export { createRangeVerifier, type RangeVerifier } from "./tree/verifier.ts";
export {
  type ByteRange,
  stepLength,
  type TreeNode,
  type TreeStep,
  walkRange,
  wholeObject,
} from "./tree/walk.ts";
