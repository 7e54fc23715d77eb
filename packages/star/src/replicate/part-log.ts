import { crc32 } from "node:zlib";

/**
 * What is beside a part that has not become a file yet: which file it is of, and which ranges of it were to be written. It is
 * never synced, and tells of a range before its bytes are there: what it says holds only where they have the CRC that it tells.
 *
 * The file: 8 bytes of magic; the length of a header in bytes (uint32, big-endian, as all that follows) and its CRC-32 (uint32);
 * the header, JSON; and records of 20 bytes: offset (uint64), length (uint32), CRC-32 of the range's bytes (uint32), CRC-32
 * of the 16 bytes before (uint32).
 */
export type PartHeader = {
  /** What binds the bytes together: a SHA-256 that is expected, or a source's file at one moment. */
  readonly identity: string;
  /** Of the whole file, in bytes. */
  readonly size: number;
};

/** A range of which the log tells, and the CRC-32 of its bytes. */
export type PartRecord = { readonly from: number; readonly length: number; readonly crc: number };

export type PartLog = {
  readonly header: PartHeader;
  /** In the order in which they were written; those that were torn are left out. */
  readonly records: readonly PartRecord[];
  /** Where the next record goes, in bytes. */
  readonly end: number;
};

const magic = Buffer.from("ORBPART1");
const headerAt = magic.length + 8;
const recordBytes = 20;

export function encodeHeader(header: PartHeader): Uint8Array {
  const json = Buffer.from(JSON.stringify({ identity: header.identity, size: header.size }));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(json.length, 0);
  lengths.writeUInt32BE(crc32(json), 4);
  return Buffer.concat([magic, lengths, json]);
}

export function encodeRecord({ from, length, crc }: PartRecord): Uint8Array {
  const record = Buffer.alloc(recordBytes);
  record.writeBigUInt64BE(BigInt(from), 0);
  record.writeUInt32BE(length, 8);
  record.writeUInt32BE(crc, 12);
  record.writeUInt32BE(crc32(record.subarray(0, 16)), 16);
  return record;
}

/** Null where it is no log, or its header is not whole. */
export function decodeLog(bytes: Uint8Array): PartLog | null {
  const log = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (log.length < headerAt || !log.subarray(0, magic.length).equals(magic)) return null;
  const from = headerAt + log.readUInt32BE(magic.length);
  const json = log.subarray(headerAt, from);
  if (from > log.length || crc32(json) !== log.readUInt32BE(magic.length + 4)) return null;
  const whole = Math.floor((log.length - from) / recordBytes);
  const records = Array.from({ length: whole }, (_, index) => decodeRecord(log, from + index * recordBytes));
  return {
    header: JSON.parse(json.toString()) as PartHeader, // Ours: its CRC fits.
    records: records.filter((record) => record !== null),
    end: from + whole * recordBytes,
  };
}

function decodeRecord(log: Buffer, at: number): PartRecord | null {
  const record = log.subarray(at, at + recordBytes);
  const from = record.readBigUInt64BE(0);
  const length = record.readUInt32BE(8);
  const isWhole = crc32(record.subarray(0, 16)) === record.readUInt32BE(16);
  if (!isWhole || length === 0 || from > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return { from: Number(from), length, crc: record.readUInt32BE(12) };
}
