import { readFileSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import { compressionType, createCodecs, registerCodecs } from './codecs.ts'

const MIB = 1_048_576
const names = ['gzip', 'snappy', 'lz4', 'zstd'] as const

/** The records section of a batch of these lines, as the named client wrote it. */
const fixture = (client: string, codec: string) =>
  readFileSync(new URL(`fixtures/${client}.${codec}`, import.meta.url))

const lines = Array.from({ length: 900 }, (_, id) =>
  JSON.stringify({ id, src: `10.0.0.${id % 7}`, pad: 'abcdefgh'.repeat(8) }),
)

const refused = async (work: Promise<unknown>): Promise<SentinelError> => {
  try {
    await work
  } catch (error) {
    if (error instanceof SentinelError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe.each(names)('%s', name => {
  const codec = createCodecs({ maxInflatedBytes: MIB })[name]

  it.each(['librdkafka', 'java'])('reads what %s writes', async client => {
    const inflated = (await codec.decompress(fixture(client, name))).toString('latin1')
    let at = 0
    for (const line of lines) {
      const found = inflated.indexOf(line, at)
      expect(found).toBeGreaterThanOrEqual(at)
      at = found + line.length
    }
  })

  it.each(['librdkafka', 'java'])('refuses a batch of %s that inflates beyond the limit', async client => {
    const bytes = fixture(client, name)
    const size = (await codec.decompress(bytes)).length
    const exact = createCodecs({ maxInflatedBytes: size })[name]
    await expect(exact.decompress(bytes)).resolves.toHaveLength(size)
    const less = createCodecs({ maxInflatedBytes: size - 1 })[name]
    const error = await refused(less.decompress(bytes))
    expect(error).toMatchObject({ code: 'NS_DECOMPRESSION_LIMIT', retriable: false })
  })

  it('counts each record as an object of 256 bytes', async () => {
    const bytes = fixture('java', name)
    const { length } = await codec.decompress(bytes)
    const tight = createCodecs({ maxInflatedBytes: length + 10 * 256 })[name]
    await expect(tight.decompress(bytes, 10)).resolves.toHaveLength(length)
    for (const records of [11, 1_000_000]) {
      const error = await refused(tight.decompress(bytes, records))
      expect(error).toMatchObject({ code: 'NS_DECOMPRESSION_LIMIT', refusesBatch: true })
      expect(error.message).toContain(`a ${name} batch of ${records} records`)
    }
  })

  it('refuses cut and damaged bytes instead of hanging or reading beyond them', async () => {
    const bytes = fixture('java', name)
    for (let cut = 1; cut < bytes.length; cut += 97) {
      const outcome = await codec.decompress(bytes.subarray(0, cut)).then(
        out => out.length,
        (error: unknown) => (error instanceof SentinelError ? error.code : error),
      )
      // A cut between two framed blocks leaves a shorter, valid stream.
      if (typeof outcome !== 'number') expect(outcome).toBe('NS_BATCH_CORRUPT')
    }
    for (let at = 20; at < bytes.length; at += 97) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0xff
      const outcome = await codec.decompress(damaged).then(
        () => 'read',
        (error: unknown) => (error instanceof SentinelError ? error.code : error),
      )
      expect(['read', 'NS_BATCH_CORRUPT', 'NS_DECOMPRESSION_LIMIT']).toContain(outcome)
    }
  })
})

describe('small and odd frames', () => {
  const codecs = createCodecs({ maxInflatedBytes: MIB })

  it('stops a bomb at the limit', async () => {
    const zeros = Buffer.alloc(200 * MIB)
    for (const [name, bomb] of [
      ['gzip', gzipSync(zeros)],
      ['zstd', zstdCompressSync(zeros)],
    ] as const) {
      expect((await refused(codecs[name].decompress(bomb))).code).toBe('NS_DECOMPRESSION_LIMIT')
    }
    // A snappy block that claims 2 GiB, and an LZ4 block whose one match runs over 16 MiB.
    const snappy = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x41])
    expect((await refused(codecs.snappy.decompress(snappy))).code).toBe('NS_DECOMPRESSION_LIMIT')
    const block = Buffer.concat([
      Buffer.from([0x1f, 0x41, 1, 0]),
      Buffer.alloc(65_600, 0xff),
      Buffer.from([0]),
    ])
    const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0])
    head.writeUInt32LE(block.length, 7)
    expect((await refused(codecs.lz4.decompress(Buffer.concat([head, block])))).code).toBe(
      'NS_DECOMPRESSION_LIMIT',
    )
  })

  it('reads overlapping copies, stored blocks and joined streams', async () => {
    // snappy: literal 'ab', then a copy of 6 bytes from 2 back.
    await expect(codecs.snappy.decompress(Buffer.from([8, 0x04, 0x61, 0x62, 0x09, 0x02]))).resolves.toEqual(
      Buffer.from('abababab'),
    )
    // lz4: a stored block of 'abc', then one whose match reaches back into it.
    const frame = Buffer.from([
      ...[0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00],
      ...[0x03, 0x00, 0x00, 0x80, 0x61, 0x62, 0x63],
      ...[0x05, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x10, 0x64],
      ...[0, 0, 0, 0],
    ])
    await expect(codecs.lz4.decompress(frame)).resolves.toEqual(Buffer.from('abcabcad'))
    await expect(codecs.lz4.decompress(Buffer.concat([frame, frame]))).resolves.toEqual(
      Buffer.from('abcabcadabcabcad'),
    )
    const stream = fixture('java', 'snappy')
    const once = await codecs.snappy.decompress(stream)
    await expect(codecs.snappy.decompress(Buffer.concat([stream, stream]))).resolves.toEqual(
      Buffer.concat([once, once]),
    )
  })

  it('writes gzip and zstd that it reads, and says that it does not write the others', async () => {
    const buffer = Buffer.from(lines.join('\n'))
    for (const name of ['gzip', 'zstd'] as const) {
      await expect(codecs[name].decompress(await codecs[name].compress({ buffer }))).resolves.toEqual(buffer)
    }
    await expect(codecs.lz4.compress()).rejects.toThrow('lz4 is read but not written')
    await expect(codecs.snappy.compress()).rejects.toThrow('snappy is read but not written')
  })

  it('puts all four into kafkajs, its own gzip too', async () => {
    registerCodecs({ maxInflatedBytes: 10 })
    const { CompressionCodecs, CompressionTypes } = kafkajs
    const { GZIP, Snappy, LZ4, ZSTD } = CompressionTypes
    for (const codec of [CompressionCodecs[Snappy], CompressionCodecs[LZ4], CompressionCodecs[ZSTD]]) {
      expect(codec()).toMatchObject({ decompress: expect.any(Function) })
    }
    const gzip = CompressionCodecs[GZIP]() as {
      decompress(bytes: Buffer): Promise<Buffer>
    }
    expect((await refused(gzip.decompress(gzipSync('a'.repeat(11))))).code).toBe('NS_DECOMPRESSION_LIMIT')
    expect(compressionType('none')).toBe(CompressionTypes.None)
  })
})
