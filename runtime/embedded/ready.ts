import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, SentinelError } from '../errors.ts'
import type { Child } from './child.ts'
import { crashError } from './failures.ts'

const DEADLINE_MS = 120_000
const EVERY_MS = 30
const ANSWER_MS = 2_000

/** Asks a service once whether it serves; resolves when it does, rejects with the reason when not. */
export type Probe = () => Promise<void>

/**
 * Waits until a started child serves. Throws what {@link crashError} says when it ends instead, NS_EMBEDDED_UNAVAILABLE
 * when it does not serve within two minutes, and the signal's reason when it is aborted.
 */
export const untilReady = async (child: Child, probe: Probe, signal: AbortSignal): Promise<void> => {
  let exitCode: number | undefined
  void child.exited.then(code => {
    exitCode = code
  })
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    signal.throwIfAborted()
    if (exitCode !== undefined) throw crashError(child.name, exitCode, child.logFile)
    try {
      return await probe()
    } catch (cause) {
      if (Date.now() > deadline) {
        throw new SentinelError(
          'NS_EMBEDDED_UNAVAILABLE',
          `${child.name} did not serve within ${DEADLINE_MS / 1000} s (${messageOf(cause)}): see ${child.logFile}`,
          { cause },
        )
      }
    }
    await sleep(EVERY_MS)
  }
}

/** Sends `request` over a new connection to loopback and resolves with what came once `enough` says so. */
export const ask = (
  port: number,
  request: Uint8Array | string,
  enough: (answer: Buffer) => boolean,
): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let answer = Buffer.alloc(0)
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer')))
    socket.on('connect', () => socket.write(request))
    socket.on('data', chunk => {
      answer = Buffer.concat([answer, chunk])
      if (!enough(answer)) return
      resolve(answer)
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed')))
  })
