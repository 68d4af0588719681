import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const STORE = join(import.meta.dirname, '../../gateway/store/open-store.ts')
const ENOUGH = 40

const SCRIPT = `
  const { openStore } = await import(process.argv[1])
  const store = await openStore({ address: process.argv[2], log: { warn: () => undefined } })
  for (let n = 0; ; n += 1) {
    const username = 'user-' + process.pid + '-' + n
    await store.addUser({
      id: username, username, passwordHash: 'x', passwordExpiresAt: null, role: 'viewer', disabled: false, createdAt: n,
    })
    console.log(username)
  }`

/**
 * Starts a process that adds users to a store one after the other, and kills it with SIGKILL while it does, after `strike`
 * has been done where it is given. Resolves with the names of those that it was told are there.
 */
export const killWhileWriting = async (
  address: string,
  strike: () => Promise<void> = async () => undefined,
): Promise<readonly string[]> => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, STORE, address], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  const enough = Promise.withResolvers<void>()
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output.split('\n').length > ENOUGH) enough.resolve()
  })
  const closed = once(child, 'close')
  await Promise.race([enough.promise, closed])
  await strike()
  child.kill('SIGKILL')
  await closed
  // What follows the last line's end was being written when the process was killed.
  const names = output.split('\n').slice(0, -1)
  if (names.length < ENOUGH) throw new Error(`the writer ended by itself: ${errors}`)
  return names
}
