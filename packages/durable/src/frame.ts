import { crc32 } from "node:zlib";

/**
 * A record in a journal: its length and a check sum, each 4 bytes, big-endian, then its bytes.
 *
 * The CRC-32 covers the length too: a tail of zeros, as a file system may leave one, is then no row of empty
 * records.
 */
const frameHeaderBytes = 8;

/** The frame of one record; a copy, so that the caller may use its buffer again. */
export function encodeFrame(record: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + record.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, record.length);
  view.setUint32(4, checksum(frame.subarray(0, 4), record));
  frame.set(record, frameHeaderBytes);
  return frame;
}

/**
 * The whole and undamaged frames from `start` on, up to the first that is not, and where that one begins.
 * The records are views of `bytes`.
 */
export function decodeFrames(bytes: Uint8Array, start: number): { records: Uint8Array[]; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  let end = start;
  while (bytes.length - end >= frameHeaderBytes) {
    const from = end + frameHeaderBytes;
    const length = view.getUint32(end);
    if (length > bytes.length - from) break;
    const record = bytes.subarray(from, from + length);
    if (view.getUint32(end + 4) !== checksum(bytes.subarray(end, end + 4), record)) break;
    records.push(record);
    end = from + length;
  }
  return { records, end };
}

function checksum(length: Uint8Array, record: Uint8Array): number {
  return crc32(record, crc32(length));
}
