import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, messageOf, SentinelError } from './errors.ts'

const KEY_BYTES = 32
const READABLE_BY_OTHERS = 0o077

/**
 * Reads a secret key from a file, and makes the file (mode 0600) when there is none; of several processes that do
 * so at once all get the same key. Throws NS_CONFIG_INVALID when the file is readable by others, or unusable.
 */
export const readOrCreateKeyFile = (path: string): string => {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
    try {
      if (statSync(path, { throwIfNoEntry: false }) === undefined) {
        writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
        // A link appears with its whole content or not at all, and only for the first who makes it.
        linkSync(draft, path)
      }
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
    if ((statSync(path).mode & READABLE_BY_OTHERS) !== 0) {
      throw new SentinelError('NS_CONFIG_INVALID', `the key file ${path} is open to others: chmod 600 it`)
    }
    const key = readFileSync(path, 'utf8').trim()
    if (Buffer.from(key, 'base64url').length < KEY_BYTES) {
      throw new SentinelError('NS_CONFIG_INVALID', `the key file ${path} holds no key of ${KEY_BYTES} bytes`)
    }
    return key
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause
    throw new SentinelError('NS_CONFIG_INVALID', `the key file ${path} cannot be used: ${messageOf(cause)}`, {
      cause,
    })
  }
}
