import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSigner,
  formatStatementKey,
  fromCoseKey,
  generateKey,
  IdentityError,
  isSoundSignature,
  parseKid,
  parseStatementKey,
  statementKey,
  toCoseKey,
} from "@catalyst/identity";
import { type CborKey, type CborValue, decodeCbor, encodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { hostileBytes } from "../../wire/test/mutation.ts";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const refusedAs = (code: string) => (error: unknown) => error instanceof IdentityError && error.code === code;

test("a statement key survives its text and its COSE_Key", () => {
  for (let round = 0; round < 20; round++) {
    const { publicKey } = createSigner(generateKey("Ed25519"));
    assert.deepEqual(parseStatementKey(formatStatementKey(publicKey)), publicKey);
    assert.deepEqual(fromCoseKey(decodeCbor(encodeCbor(toCoseKey(publicKey)))), publicKey);
  }
});

/** Every encoding of a point whose order divides 8, also those that are not the shortest. */
const small = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
];
const notShortest = [
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

test("a point of small order is no key", () => {
  for (const point of small) assert.throws(() => statementKey(hex(point)), refusedAs("key_weak"), point);
});

test("a point that is not in its shortest form is no key", () => {
  for (const point of notShortest) {
    assert.throws(() => statementKey(hex(point)), refusedAs("key_malformed"), point);
  }
});

test("text that is no key or kid is refused with a code", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => {
      assert.throws(() => parseStatementKey(text), refusedAs("key_malformed"));
      assert.throws(() => parseKid(text), refusedAs("key_malformed"));
    }),
  );
  assert.throws(() => parseKid("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4l"), refusedAs("key_malformed"));
  for (const length of [42, 44, 1_000_000]) {
    assert.throws(() => parseKid("A".repeat(length)), refusedAs("key_malformed"));
    assert.throws(() => parseStatementKey("A".repeat(length)), refusedAs("key_malformed"));
  }
});

test("hostile CBOR is read as a key or refused with a code", () => {
  const good = encodeCbor(toCoseKey(createSigner(generateKey("Ed25519")).publicKey));
  fc.assert(
    fc.property(hostileBytes([good]), (bytes) => {
      let value: CborValue;
      try {
        value = decodeCbor(bytes);
      } catch {
        return; // tested where CBOR is
      }
      try {
        assert.deepEqual(encodeCbor(toCoseKey(fromCoseKey(value))), bytes);
      } catch (error) {
        assert.ok(error instanceof IdentityError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a COSE_Key with other members, another curve or another length is refused", () => {
  const { publicKey } = createSigner(generateKey("Ed25519"));
  const good = [...toCoseKey(publicKey)];
  const changed = (entries: readonly (readonly [CborKey, CborValue])[]) => new Map(entries);
  const cases: CborValue[] = [
    7,
    changed(good.slice(0, 2)),
    changed([...good, [3, -8]]),
    changed([[1, 2], ...good.slice(1)]),
    changed([...good.slice(0, 2), [-2, new Uint8Array(31)]]),
  ];
  for (const value of cases) assert.throws(() => fromCoseKey(value), refusedAs("key_malformed"));
});

test("a signature whose S is not reduced, or whose R is a point of small order, is not sound", () => {
  const { sign } = createSigner(generateKey("Ed25519"));
  const good = sign(hex("00"));
  assert.ok(isSoundSignature(good));
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString("hex")}`);
  const lifted = Uint8Array.from(good);
  lifted.set(Buffer.from((s + order).toString(16).padStart(64, "0"), "hex").reverse(), 32);
  assert.equal(isSoundSignature(lifted), false);
  for (const point of [...small, ...notShortest]) {
    assert.equal(isSoundSignature(Uint8Array.of(...hex(point), ...good.subarray(32))), false);
  }
  assert.equal(isSoundSignature(good.subarray(1)), false);
});
