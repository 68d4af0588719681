import { SentinelError } from '../../runtime/errors.ts'

/** A field of a message as it lies on the wire; how it is written is in protobuf.ts. */
export interface WireField {
  readonly number: number
  /** A varint's value (wire type 0). */
  readonly int?: bigint
  /** What a length stands before (wire type 2): text, bytes, a message, packed numbers. */
  readonly bytes?: Uint8Array
  /** All of it, tag included. */
  readonly whole: Uint8Array
}

const malformed = (reason: string) =>
  new SentinelError('NS_MODEL_REFUSED', `the file is no ONNX model: ${reason}`)

/** Bytes of a field whose wire type says so: fixed64 and fixed32. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

const varintAt = (message: Uint8Array, start: number): { readonly value: bigint; readonly next: number } => {
  let value = 0n
  for (let next = start, shift = 0n; next < message.length && shift < 70n; shift += 7n) {
    const byte = message[next++] ?? 0
    value |= BigInt(byte & 127) << shift
    if (byte < 128) return { value, next }
  }
  throw malformed('a number has no end')
}

/** Reads the fields of a message, in order, without copying. Throws NS_MODEL_REFUSED where the bytes are no message. */
export const fieldsIn = function* (message: Uint8Array): Generator<WireField> {
  for (let at = 0; at < message.length; ) {
    const start = at
    const tag = varintAt(message, at)
    const number = Number(tag.value >> 3n)
    const wire = Number(tag.value & 7n)
    at = tag.next
    if (wire === 0) {
      const { value, next } = varintAt(message, at)
      at = next
      yield { number, int: value, whole: message.subarray(start, at) }
      continue
    }
    let from = at
    let size = FIXED[wire]
    if (wire === 2) {
      const length = varintAt(message, at)
      from = length.next
      size = Number(length.value)
    }
    if (size === undefined) throw malformed(`field ${number} is of wire type ${wire}`)
    at = from + size
    if (at > message.length) throw malformed(`field ${number} ends after the message`)
    const whole = message.subarray(start, at)
    yield wire === 2 ? { number, bytes: message.subarray(from, at), whole } : { number, whole }
  }
}
