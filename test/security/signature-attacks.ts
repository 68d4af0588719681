import { constants, createHash, type KeyObject, privateEncrypt } from 'node:crypto'

/** Makes another signature of a good one; the same message was signed by `key`. */
export type Mutation = (good: Buffer, message: Buffer, key: KeyObject) => Buffer

/** Order of the group of Ed25519, and the prime of its field (RFC 8032). */
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const P = 2n ** 255n - 19n

/** Order of P-256 (FIPS 186-4). */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

const bigEndian = (value: bigint, bytes: number): Buffer =>
  Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex')

const littleEndian = (value: bigint): Buffer => bigEndian(value, 32).reverse()

const fromLittleEndian = (bytes: Buffer): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

const fromBigEndian = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

const halves = (good: Buffer) => [good.subarray(0, 32), good.subarray(32)] as const

/** Whatever the algorithm: too short, too long, empty, doubled. */
const SIZES: Readonly<Record<string, Mutation>> = {
  'without its last byte': good => good.subarray(0, -1),
  'without its first byte': good => good.subarray(1),
  'of its first half': good => good.subarray(0, good.length / 2),
  'with a zero behind': good => Buffer.concat([good, Buffer.alloc(1)]),
  'with a zero before': good => Buffer.concat([Buffer.alloc(1), good]),
  'with garbage behind': good => Buffer.concat([good, Buffer.from('garbage')]),
  twice: good => Buffer.concat([good, good]),
  'of zeros': good => Buffer.alloc(good.length),
  'of ones': good => Buffer.alloc(good.length, 0xff),
  'in hexadecimal digits': good => Buffer.from(good.toString('hex')),
  'with its last bit turned': good => {
    const other = Buffer.from(good)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    return other
  },
  'with its first bit turned': good => {
    const other = Buffer.from(good)
    other[0] = (other[0] ?? 0) ^ 0x80
    return other
  },
}

const withS = (change: (s: bigint) => bigint): Mutation => {
  return good => {
    const [r, s] = halves(good)
    return Buffer.concat([r, littleEndian(change(fromLittleEndian(s)))])
  }
}
const withR = (point: bigint): Mutation => {
  return good => Buffer.concat([littleEndian(point), halves(good)[1]])
}

/** Signatures of Ed25519 that are none, after the classes of Wycheproof. */
export const ED25519_MUTATIONS: Readonly<Record<string, Mutation>> = {
  ...SIZES,
  'with L added to S, which gives the same point': withS(s => s + L),
  'with 2 L added to S': withS(s => s + 2n * L),
  'with 8 L added to S': withS(s => s + 8n * L),
  'with S turned round': withS(s => L - s),
  'with S of 0': withS(() => 0n),
  'with S of 1': withS(() => 1n),
  'with S of L': withS(() => L),
  'with S of L - 1': withS(() => L - 1n),
  'with S of 2^256 - 1': withS(() => 2n ** 256n - 1n),
  'with the highest bit of S set': withS(s => s | (1n << 255n)),
  'with R of 0': withR(0n),
  'with R of the neutral point': withR(1n),
  'with R of the neutral point and S of 0': () => Buffer.concat([littleEndian(1n), Buffer.alloc(32)]),
  'with R of the field’s prime': withR(P),
  'with R of 1 beyond the field': withR(P + 1n),
  'with R of -1': withR(P - 1n),
  'with R of 2^256 - 1': withR(2n ** 256n - 1n),
  'with the sign of R turned': good => {
    const other = Buffer.from(good)
    other[31] = (other[31] ?? 0) ^ 0x80
    return other
  },
  'with R and S changed about': good => Buffer.concat([...halves(good)].reverse()),
}

const der = (r: bigint, s: bigint): Buffer => {
  const integer = (value: bigint) => {
    const hex = value.toString(16)
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    const body = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes
    return Buffer.concat([Buffer.from([0x02, body.length]), body])
  }
  const body = Buffer.concat([integer(r), integer(s)])
  return Buffer.concat([Buffer.from([0x30, body.length]), body])
}

const pair = (change: (r: bigint, s: bigint) => readonly [bigint, bigint], bytes = 32): Mutation => {
  return good => {
    const [r, s] = halves(good)
    return Buffer.concat(change(fromBigEndian(r), fromBigEndian(s)).map(value => bigEndian(value, bytes)))
  }
}

/** Signatures of ES256 that are none, after the classes of Wycheproof; the first one is CVE-2022-21449. */
export const ES256_MUTATIONS: Readonly<Record<string, Mutation>> = {
  'with r and s of 0, the psychic one': pair(() => [0n, 0n]),
  ...SIZES,
  'with r of 0': pair((_, s) => [0n, s]),
  'with s of 0': pair(r => [r, 0n]),
  'with r and s of 1': pair(() => [1n, 1n]),
  'with r of n': pair((_, s) => [N, s]),
  'with s of n': pair(r => [r, N]),
  'with r and s of n': pair(() => [N, N]),
  'with r and s of n - 1': pair(() => [N - 1n, N - 1n]),
  'with r of 2^256 - 1': pair((_, s) => [2n ** 256n - 1n, s]),
  'with r turned round': pair((r, s) => [N - r, s]),
  'with r and s changed about': pair((r, s) => [s, r]),
  'with n added to r': pair((r, s) => [r + N, s], 33),
  'with n added to s': pair((r, s) => [r, s + N], 33),
  'with numbers that are too long': pair((r, s) => [r, s], 33),
  'with numbers of 48 bytes, as of ES384': pair((r, s) => [r, s], 48),
  'in DER': good => der(fromBigEndian(halves(good)[0]), fromBigEndian(halves(good)[1])),
  'in DER, of 0 and 0': () => der(0n, 0n),
}

const SHA256_PREFIX = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const MODULUS_BYTES = 256

/** A block that was put together by hand, signed as it is. */
const padded = (make: (digest: Buffer) => Buffer): Mutation => {
  return (_good, message, key) =>
    privateEncrypt(
      { key, padding: constants.RSA_NO_PADDING },
      make(createHash('sha256').update(message).digest()),
    )
}
const block = (head: Buffer, tail: Buffer, fill = 0xff): Buffer =>
  Buffer.concat([head, Buffer.alloc(MODULUS_BYTES - head.length - tail.length, fill), tail])

const TYPE_1 = Buffer.from([0, 1])
const END = Buffer.alloc(1)

/** Signatures of RS256 that are none, after the classes of Wycheproof: most are what Bleichenbacher's forgery needs. */
export const RS256_MUTATIONS: Readonly<Record<string, Mutation>> = {
  ...SIZES,
  'with garbage behind the digest': padded(digest => {
    const tail = Buffer.concat([END, SHA256_PREFIX, digest, Buffer.alloc(64, 0x2a)])
    return block(TYPE_1, tail)
  }),
  'with a short padding and garbage': padded(digest => {
    const head = Buffer.concat([TYPE_1, Buffer.alloc(8, 0xff), END, SHA256_PREFIX, digest])
    return block(head, Buffer.alloc(0), 0x2a)
  }),
  'with a padding of zeros': padded(digest => block(TYPE_1, Buffer.concat([END, SHA256_PREFIX, digest]), 0)),
  'with the padding of an encryption': padded(digest =>
    block(Buffer.from([0, 2]), Buffer.concat([END, SHA256_PREFIX, digest]), 0x2a),
  ),
  'without the name of the hash': padded(digest => block(TYPE_1, Buffer.concat([END, digest]))),
  'without the NULL of the hash': padded(digest => {
    const prefix = Buffer.from('302f300b0609608648016503040201', 'hex')
    return block(TYPE_1, Buffer.concat([END, prefix, Buffer.from('0420', 'hex'), digest]))
  }),
  'with the name of another hash': padded(digest => {
    const prefix = Buffer.from('3031300d060960864801650304020305000420', 'hex')
    return block(TYPE_1, Buffer.concat([END, prefix, digest]))
  }),
  'of another digest': padded(() => block(TYPE_1, Buffer.concat([END, SHA256_PREFIX, Buffer.alloc(32)]))),
  'of no padding at all': padded(digest => block(Buffer.alloc(0), digest, 0)),
  'of 1': () => bigEndian(1n, MODULUS_BYTES),
}
