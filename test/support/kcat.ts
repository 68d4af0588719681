import { spawn } from 'node:child_process'
import { services } from './services.ts'

/**
 * Runs kcat, a client on librdkafka that shares no code with us, against the test's broker, with `input` on its
 * standard input. Resolves with what it wrote; throws with its error text, or saying that it must be installed.
 */
export const kcat = async (args: readonly string[], input: string | Buffer = ''): Promise<string> =>
  (await kcatBytes(args, input)).toString('utf8')

const kcatBytes = (args: readonly string[], input: string | Buffer = ''): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const child = spawn('kcat', ['-q', '-b', services().kafkaBrokers.join(','), ...args])
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', cause => reject(new Error('kcat is needed: install the package kcat', { cause })))
    child.on('close', code => {
      if (code === 0) resolve(Buffer.concat(out))
      else
        reject(new Error(`kcat ${args.join(' ')} ended with ${code}: ${Buffer.concat(err).toString('utf8')}`))
    })
    child.stdin.end(input)
  })

/** A record as kcat prints it with `-J`; `payload` is null for a tombstone. */
export interface KcatRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly ts: number
  readonly headers?: readonly string[]
  readonly key: string | null
  readonly payload: string | null
}

/** Reads a topic from its beginning to its present end, committed records only. */
export const kcatRead = async (topic: string): Promise<KcatRecord[]> => {
  const text = await kcat([
    '-C',
    '-e',
    '-J',
    '-o',
    'beginning',
    '-X',
    'isolation.level=read_committed',
    '-t',
    topic,
  ])
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as KcatRecord)
}

/** The values of one partition, committed records only, as bytes. */
export const kcatValues = async (topic: string, partition: number): Promise<Buffer[]> => {
  const where = ['-t', topic, '-p', String(partition), '-o', 'beginning']
  // `%R` is the length of the value, four bytes big-endian, and `%s` the value.
  const bytes = await kcatBytes(['-C', '-e', ...where, '-X', 'isolation.level=read_committed', '-f', '%R%s'])
  const values: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readInt32BE(at)
    values.push(bytes.subarray(at + 4, end))
    at = end
  }
  return values
}

/** The headers of a record as an object; of repeated ones the last. */
export const kcatHeaders = ({ headers = [] }: KcatRecord): Record<string, string> =>
  Object.fromEntries(
    headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? ''] as const] : [])),
  )
