import { addProduct, divide, multiply } from "./galois.ts";

/**
 * A systematic Reed-Solomon code: `data` blocks stay as they are, `parity` blocks are made of them, and any `data` of
 * all give back the rest. The parity rows are a Cauchy matrix, row i and column j being 1 / ((data + i) xor j), each
 * divided by its first element: with one data block, parity blocks are copies of it.
 */
export type ReedSolomon = {
  /** The parity blocks of as many data blocks as the code has, all of one even length. */
  encode(blocks: readonly Uint8Array[]): Uint8Array[];
  /** The data block with this number, from `data` blocks or more by their numbers; null when there are fewer. */
  decode(wanted: number, blocks: ReadonlyMap<number, Uint8Array>): Uint8Array | null;
};

/** The code with these numbers of blocks, both at least 1, and 256 in sum at most. */
export function createReedSolomon(data: number, parity: number): ReedSolomon {
  const unit = (row: number) => Array.from({ length: data }, (_, column) => (row === column ? 1 : 0));
  const rows = [
    ...Array.from({ length: data }, (_, row) => unit(row)),
    ...Array.from({ length: parity }, (_, row) => cauchyRow(data, row)),
  ];
  return {
    encode: (blocks) => rows.slice(data).map((row) => combine(row, blocks)),
    decode: (wanted, blocks) => {
      const numbers = [...blocks.keys()].sort((a, b) => a - b).slice(0, data);
      if (numbers.length < data) return null;
      const inverse = invert(numbers.map((number) => rows[number] ?? []));
      const chosen = numbers.map((number) => blocks.get(number) ?? new Uint8Array(0));
      return combine(inverse[wanted] ?? [], chosen);
    },
  };
}

function cauchyRow(data: number, row: number): number[] {
  const first = data + row;
  return Array.from({ length: data }, (_, column) => divide(first, (data + row) ^ column));
}

function combine(row: readonly number[], blocks: readonly Uint8Array[]): Uint8Array {
  const sum = new Uint8Array(blocks[0]?.length ?? 0);
  for (const [column, block] of blocks.entries()) {
    const coefficient = row[column] ?? 0;
    if (coefficient !== 0) addProduct(sum, coefficient, block);
  }
  return sum;
}

/** Gauss and Jordan; every square part of a systematic Cauchy code has an inverse. */
function invert(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const rows = matrix.map((row, at) => [
    ...row,
    ...Array.from({ length: size }, (_, column) => (column === at ? 1 : 0)),
  ]);
  for (let column = 0; column < size; column++) {
    const pivotAt = rows.findIndex((row, at) => at >= column && row[column] !== 0);
    const pivot = rows[pivotAt] ?? [];
    rows[pivotAt] = rows[column] ?? [];
    const scale = pivot[column] ?? 1;
    rows[column] = pivot.map((value) => divide(value, scale));
    for (const [at, row] of rows.entries()) {
      const factor = row[column] ?? 0;
      if (at === column || factor === 0) continue;
      rows[at] = row.map((value, place) => value ^ multiply(factor, rows[column]?.[place] ?? 0));
    }
  }
  return rows.map((row) => row.slice(size));
}
