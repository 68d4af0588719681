import { copyBack, overLimit } from './inflate.ts'

/** Magic of snappy-java's stream, which Kafka's Java client writes around raw snappy blocks. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

/**
 * Decompresses the records of a snappy batch: snappy-java's framing (Java clients) or one raw block (librdkafka).
 * Throws {@link overLimit} beyond `limit` bytes, before allocating them, and an Error for bytes that are not snappy.
 * Format: https://github.com/google/snappy/blob/main/format_description.txt
 */
export const inflateSnappy = (bytes: Buffer, limit: number): Buffer => {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return inflateBlock(bytes, limit)
  const parts: Buffer[] = []
  let total = 0
  let at = 0
  while (at < bytes.length) {
    // Streams may be concatenated; each begins with the header.
    if (bytes.subarray(at, at + XERIAL.length).equals(XERIAL)) at += XERIAL_HEADER_BYTES
    if (at === bytes.length) break
    if (at + 4 > bytes.length) throw new Error('truncated block length')
    const length = bytes.readUInt32BE(at)
    at += 4
    if (at + length > bytes.length) throw new Error('truncated block')
    const part = inflateBlock(bytes.subarray(at, at + length), limit - total)
    total += part.length
    parts.push(part)
    at += length
  }
  return Buffer.concat(parts, total)
}

const readVarint = (bytes: Buffer): { value: number; at: number } => {
  let value = 0
  for (let at = 0; at < 5; at++) {
    const byte = bytes[at]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return { value, at: at + 1 }
  }
  throw new Error('bad length')
}

const inflateBlock = (bytes: Buffer, limit: number): Buffer => {
  const { value: size, at: start } = readVarint(bytes)
  if (size > limit) throw overLimit()
  const out = Buffer.allocUnsafe(size)
  let at = start
  let end = 0
  const little = (width: number): number => {
    if (at + width > bytes.length) throw new Error('truncated')
    const value = width === 0 ? 0 : bytes.readUIntLE(at, width)
    at += width
    return value
  }
  while (at < bytes.length) {
    const tag = little(1)
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >> 2
      const length = (short < 60 ? short : little(short - 59)) + 1
      if (at + length > bytes.length || end + length > size) throw new Error('bad literal')
      bytes.copy(out, end, at, at + length)
      at += length
      end += length
      continue
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const offset = kind === 1 ? ((tag >> 5) << 8) | little(1) : little(kind === 2 ? 2 : 4)
    copyBack(out, end, offset, length)
    end += length
  }
  if (end !== size) throw new Error('wrong length')
  return out
}
