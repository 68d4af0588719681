import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { tempDir } from '../test/support/temp.ts'
import { readOrCreateKeyFile } from './key-file.ts'

describe('the key file', () => {
  it('is made once, readable by its owner alone, and leaves nothing else behind', () => {
    const directory = join(tempDir(), 'made', 'on the way')
    const path = join(directory, 'gateway.key')
    const key = readOrCreateKeyFile(path)
    expect(Buffer.from(key, 'base64url')).toHaveLength(32)
    expect(readOrCreateKeyFile(path)).toBe(key)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['gateway.key'])
  })

  it('is refused when others can read it, or it holds no key', () => {
    const path = join(tempDir(), 'gateway.key')
    readOrCreateKeyFile(path)
    const before = readFileSync(path, 'utf8')
    chmodSync(path, 0o640)
    expect(() => readOrCreateKeyFile(path)).toThrow(/open to others/)
    chmodSync(path, 0o600)
    writeFileSync(path, 'short\n')
    expect(() => readOrCreateKeyFile(path)).toThrow(/holds no key/)
    writeFileSync(path, before)
    expect(readOrCreateKeyFile(path)).toBe(before.trim())
  })
})
