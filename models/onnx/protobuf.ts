/**
 * A protobuf writer, as much of it as an ONNX file needs (Protocol Buffers encoding, protobuf.dev/programming-guides/encoding).
 * A message is a list of fields; a field is its tag, `number << 3 | wire type`, and its value:
 * - wire type 0: a varint, 7 bits a byte, lowest first, top bit set on all but the last byte;
 * - wire type 2: a varint length and that many bytes: text, bytes, a message, or packed numbers;
 * - wire type 5: 4 bytes, little-endian: a float.
 */
export type Field = readonly Uint8Array[]

const VARINT = 0
const LENGTH = 2
const FIXED32 = 5

const pushVarint = (value: number | bigint, out: number[]): void => {
  // A negative int64 is its two's complement, ten bytes long.
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  out.push(Number(rest))
}

const varint = (...values: readonly (number | bigint)[]): Uint8Array => {
  const out: number[] = []
  for (const value of values) pushVarint(value, out)
  return Uint8Array.from(out)
}

/** A whole number: int32, int64, enum or bool. */
export const intField = (number: number, value: number | bigint): Field => [
  varint((number << 3) | VARINT, value),
]

/** Raw bytes. */
export const bytesField = (number: number, bytes: Uint8Array): Field => [
  varint((number << 3) | LENGTH, bytes.length),
  bytes,
]

/** UTF-8 text. */
export const textField = (number: number, text: string): Field =>
  bytesField(number, Buffer.from(text, 'utf8'))

/** A message within a message. */
export const messageField = (number: number, ...fields: readonly Field[]): Field =>
  bytesField(number, encode(...fields))

/** A float. */
export const floatField = (number: number, value: number): Field => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return [varint((number << 3) | FIXED32), bytes]
}

/** Packed int64 values: one tag and length for all of them. */
export const packedInts = (number: number, values: Iterable<number>): Field => {
  const out: number[] = []
  for (const value of values) {
    if (value >= 0 && value < 128) out.push(value)
    else pushVarint(value, out)
  }
  return bytesField(number, Uint8Array.from(out))
}

/** Packed floats. */
export const packedFloats = (number: number, values: Float32Array): Field =>
  bytesField(number, floatBytes(values))

/** Floats as little-endian bytes, whatever the machine's own order. */
export const floatBytes = (values: Float32Array): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true)
  return bytes
}

/** int64 values as little-endian bytes. */
export const int64Bytes = (values: BigInt64Array): Uint8Array => {
  const bytes = new Uint8Array(values.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setBigInt64(i * 8, value, true)
  return bytes
}

/** The bytes of a message with these fields, in this order. */
export const encode = (...fields: readonly Field[]): Uint8Array => Buffer.concat(fields.flat())
