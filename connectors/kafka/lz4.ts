import { copyBack, overLimit } from './inflate.ts'

const MAGIC = 0x184d2204
const SKIPPABLE = 0x184d2a50
const FIRST_BYTES = 65_536

/**
 * Decompresses the records of an lz4 batch: one or more LZ4 frames, as every Kafka client writes them. Checksums are
 * skipped: the broker has checked the batch. Throws {@link overLimit} beyond `limit` bytes, and an Error for bytes that are
 * not lz4. Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export const inflateLz4 = (bytes: Buffer, limit: number): Buffer => {
  const output = createOutput(Math.min(limit, Math.max(FIRST_BYTES, bytes.length * 4)), limit)
  let at = 0
  while (at < bytes.length) {
    const magic = bytes.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) at += 8 + bytes.readUInt32LE(at + 4)
    else if (magic === MAGIC) at = inflateFrame(bytes, at + 4, output)
    else throw new Error('no frame')
  }
  return output.bytes()
}

/** Bytes that grow up to a limit. Blocks of a frame may refer to what came before, so it is all in one buffer. */
const createOutput = (first: number, limit: number) => {
  let buffer = Buffer.allocUnsafe(first)
  let end = 0
  const reserve = (length: number) => {
    if (end + length > limit) throw overLimit()
    if (end + length <= buffer.length) return
    const grown = Buffer.allocUnsafe(Math.min(limit, Math.max(buffer.length * 2, end + length)))
    buffer.copy(grown, 0, 0, end)
    buffer = grown
  }
  return {
    literal: (source: Buffer, from: number, length: number) => {
      if (from + length > source.length) throw new Error('truncated')
      reserve(length)
      source.copy(buffer, end, from, from + length)
      end += length
    },
    match: (offset: number, length: number) => {
      reserve(length)
      copyBack(buffer, end, offset, length)
      end += length
    },
    bytes: () => buffer.subarray(0, end),
  }
}

type Output = ReturnType<typeof createOutput>

const byteAt = (bytes: Buffer, at: number): number => {
  const byte = bytes[at]
  if (byte === undefined) throw new Error('truncated')
  return byte
}

const inflateFrame = (bytes: Buffer, start: number, output: Output): number => {
  const flags = byteAt(bytes, start)
  if (flags >> 6 !== 1) throw new Error('unknown version')
  const blockChecksum = (flags & 0x10) !== 0
  const contentSize = (flags & 0x08) !== 0
  const contentChecksum = (flags & 0x04) !== 0
  const dictionary = (flags & 0x01) !== 0
  if (dictionary) throw new Error('a dictionary is not supported')
  // Flags, block descriptor and header checksum take a byte each.
  let at = start + 3 + (contentSize ? 8 : 0)
  for (;;) {
    if (at + 4 > bytes.length) throw new Error('truncated')
    const word = bytes.readUInt32LE(at)
    at += 4
    if (word === 0) return at + (contentChecksum ? 4 : 0)
    const length = word & 0x7fffffff
    const stored = word > 0x7fffffff
    if (at + length > bytes.length) throw new Error('truncated')
    if (stored) output.literal(bytes, at, length)
    else inflateBlock(bytes.subarray(at, at + length), output)
    at += length + (blockChecksum ? 4 : 0)
  }
}

const inflateBlock = (bytes: Buffer, output: Output): void => {
  let at = 0
  const extended = (length: number): number => {
    if (length !== 15) return length
    let total = length
    for (;;) {
      const byte = byteAt(bytes, at++)
      total += byte
      if (byte !== 255) return total
    }
  }
  while (at < bytes.length) {
    const token = byteAt(bytes, at++)
    const literals = extended(token >> 4)
    output.literal(bytes, at, literals)
    at += literals
    // The last sequence of a block has literals only.
    if (at === bytes.length) return
    const offset = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8)
    at += 2
    output.match(offset, extended(token & 15) + 4)
  }
}
