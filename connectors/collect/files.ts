import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { codeOf, messageOf, SentinelError } from '../../runtime/errors.ts'
import { createZeekTsvReader, isZeekTsv } from './zeek-tsv.ts'

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

const unreadable = (path: string, cause: unknown) =>
  new SentinelError(
    'NS_USAGE',
    codeOf(cause) === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read: ${messageOf(cause)}`,
    { cause },
  )

const isGzip = async (path: string): Promise<boolean> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0)
    return bytesRead === GZIP_MAGIC.length && buffer.equals(GZIP_MAGIC)
  } finally {
    await file.close()
  }
}

/** Lines of a file, each as the bytes that are in it: read as latin1, so that what is no UTF-8 arrives as it is. */
const linesOf = async function* (path: string): AsyncGenerator<string> {
  // Asked before the stream is made: one that fails while nobody listens to it ends the process.
  const zipped = await isGzip(path)
  const source = createReadStream(path)
  const input = zipped ? source.pipe(createGunzip()) : source
  const failed = Promise.withResolvers<never>()
  // The loop below races it with every line; a rejection that comes when all lines are read must not be unhandled.
  failed.promise.catch(() => undefined)
  for (const stream of new Set([source, input])) stream.once('error', failed.reject)
  const lines = createInterface({ input: input.setEncoding('latin1'), crlfDelay: Number.POSITIVE_INFINITY })
  const iterator = lines[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), failed.promise])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    lines.close()
    source.destroy()
  }
}

/**
 * Reads the records of a file: one a line, as the bytes that stand there, empty lines left out. A tab-separated Zeek log
 * becomes the JSON that Zeek would have written. Gzip is recognised by its first bytes.
 *
 * Throws NS_USAGE for a file that cannot be read, and NS_MALFORMED for a broken row of a tab-separated log.
 */
export const readRecords = async function* (path: string): AsyncGenerator<Buffer> {
  let fromTsv: ReturnType<typeof createZeekTsvReader> | undefined
  let isFirst = true
  try {
    for await (const line of linesOf(path)) {
      if (isFirst && isZeekTsv(line)) fromTsv = createZeekTsvReader()
      isFirst = false
      if (fromTsv === undefined) {
        if (line !== '') yield Buffer.from(line, 'latin1')
        continue
      }
      const json = fromTsv(Buffer.from(line, 'latin1').toString('utf8'))
      if (json !== undefined) yield Buffer.from(json)
    }
  } catch (error) {
    throw error instanceof SentinelError ? error : unreadable(path, error)
  }
}
