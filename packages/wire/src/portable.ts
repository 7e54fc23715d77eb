// What runs wherever JavaScript does, browsers included: nothing here, or below it, imports a module of Node.
export { decodeCbor } from "./cbor/decode.ts";
export { encodeCbor } from "./cbor/encode.ts";
export {
  type CborInput,
  type CborKey,
  type CborLimits,
  type CborMap,
  CborTag,
  type CborValue,
  coseSign1Tag,
} from "./cbor/value.ts";
export {
  type Cid,
  type CidContent,
  type CidHash,
  type CidParts,
  cidFromBytes,
  cidToBytes,
  formatCid,
  parseCid,
  splitCid,
} from "./cid/cid.ts";
export { WireError, type WireErrorCode, type WireEvidence } from "./errors.ts";
export {
  createFrameDecoder,
  defaultMaxFrameBytes,
  encodeFrame,
  encodeFrameHead,
  type FrameDecoder,
  type FrameDecoderOptions,
} from "./frame/frame.ts";
export {
  belongsTo,
  domainPattern,
  isLabel,
  isName,
  isNodeName,
  isWithin,
  labelPattern,
  labelWords,
  namePattern,
  namespacePattern,
  nodeNamePattern,
} from "./name.ts";
export { visible } from "./visible.ts";
