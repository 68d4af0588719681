import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { codeOf, messageOf, SentinelError } from '../../runtime/errors.ts'
import { overLimit } from './inflate.ts'
import { inflateLz4 } from './lz4.ts'
import { inflateSnappy } from './snappy.ts'

/** How one compression codec reads and writes the records of a batch. */
interface BatchCodec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  /** Takes the number of records as well, since each is an object in memory. */
  decompress(bytes: Buffer, records?: number): Promise<Buffer>
}

const deflate = { gzip: promisify(gzip), zstd: promisify(zstdCompress) }
const inflate = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) }

/**
 * An error that kafkajs does not retry: it looks at `retriable`, and treats an error without it as transient. It has no
 * cause, because kafkajs keeps only the innermost error of a chain.
 */
const refusal = (code: 'NS_DECOMPRESSION_LIMIT' | 'NS_BATCH_CORRUPT', message: string): SentinelError =>
  Object.assign(new SentinelError(code, message), { retriable: false })

/** Allowance for a record as an object, in bytes. */
const RECORD_BYTES = 256

/**
 * Makes the codecs with a limit on what a batch may inflate to, in bytes, {@link RECORD_BYTES} for each record included.
 * The error of one that would go beyond has `refusesBatch`: the patched decoder passes over the batch, and says so.
 */
export const createCodecs = ({ maxInflatedBytes }: { readonly maxInflatedBytes: number }) => {
  const guarded =
    (codec: string, run: (bytes: Buffer, room: number) => Buffer | Promise<Buffer>) =>
    async (bytes: Buffer, records = 0): Promise<Buffer> => {
      const room = maxInflatedBytes - RECORD_BYTES * records
      try {
        if (room <= 0) throw overLimit()
        return await run(bytes, room)
      } catch (error) {
        if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
          const message = `a ${codec} batch of ${records} records inflates to more than ${maxInflatedBytes} bytes`
          throw Object.assign(refusal('NS_DECOMPRESSION_LIMIT', message), { refusesBatch: true })
        }
        throw refusal('NS_BATCH_CORRUPT', `a ${codec} batch does not decompress: ${messageOf(error)}`)
      }
    }
  const unwritten = (codec: string) => (): Promise<Buffer> =>
    Promise.reject(refusal('NS_BATCH_CORRUPT', `${codec} is read but not written`))
  return {
    gzip: {
      compress: encoder => deflate.gzip(encoder.buffer),
      decompress: guarded('gzip', (bytes, room) => inflate.gzip(bytes, { maxOutputLength: room })),
    },
    snappy: {
      compress: unwritten('snappy'),
      decompress: guarded('snappy', inflateSnappy),
    },
    lz4: {
      compress: unwritten('lz4'),
      decompress: guarded('lz4', inflateLz4),
    },
    zstd: {
      compress: encoder => deflate.zstd(encoder.buffer),
      decompress: guarded('zstd', (bytes, room) => inflate.zstd(bytes, { maxOutputLength: room })),
    },
  } satisfies Record<string, BatchCodec>
}

/**
 * Gives kafkajs the codecs that it lacks, and replaces its gzip, which has no limit. kafkajs keeps one table per process,
 * so the limit registered last counts for all.
 */
export const registerCodecs = (options: { readonly maxInflatedBytes: number }): void => {
  const codecs = createCodecs(options)
  const { CompressionCodecs, CompressionTypes } = kafkajs
  CompressionCodecs[CompressionTypes.GZIP] = () => codecs.gzip
  CompressionCodecs[CompressionTypes.Snappy] = () => codecs.snappy
  CompressionCodecs[CompressionTypes.LZ4] = () => codecs.lz4
  CompressionCodecs[CompressionTypes.ZSTD] = () => codecs.zstd
}

/** kafkajs' number of a compression that is written. */
export const compressionType = (name: 'none' | 'gzip' | 'zstd') =>
  ({
    none: kafkajs.CompressionTypes.None,
    gzip: kafkajs.CompressionTypes.GZIP,
    zstd: kafkajs.CompressionTypes.ZSTD,
  })[name]
