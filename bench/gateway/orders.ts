import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/** What a server does when the benchmark orders it. */
export interface Orders {
  /** Publishes a message so many times, at once. */
  publish(message: string, count: number): Promise<void>
}

/** What a server in Node is started with; the one in Go reads the same. */
export const readArguments = () => {
  const text = { type: 'string', default: '' } as const
  const options = {
    redis: text,
    prefix: text,
    /** Public key of the peers' tokens: Ed25519, base64url. */
    key: text,
    /** File of a message, with TIME where the time of sending goes, and FILLING where it is filled up. */
    payload: text,
    /** Where the peers' packages are. */
    packages: text,
  }
  const { values } = parseArgs({ options })
  return values
}

/**
 * Says where a server listens and with which token, then takes orders, one a line, until its input ends: `publish N BYTES`,
 * where the bytes are those that fill a message up, and `settle`, which gives memory back. Each is answered with `done`. A server in another language does the same.
 */
export const obey = async (port: number, token: string, { publish }: Orders): Promise<void> => {
  const payload = readFileSync(readArguments().payload, 'utf8')
  const say = (line: string) => process.stdout.write(`${line}\n`)
  say(`${port} ${token}`)
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, count, filling] = line.split(' ')
    if (order === 'publish') {
      const time = performance.timeOrigin + performance.now()
      const filled = payload.replace('FILLING', 'x'.repeat(Number(filling)))
      await publish(filled.replace('TIME', String(time)), Number(count))
    } else globalThis.gc?.()
    say('done')
  }
}
