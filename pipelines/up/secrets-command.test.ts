import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { readModelKeys } from '../../models/registry/keys.ts'
import { tempDir } from '../../test/support/temp.ts'
import { makeSecrets } from './secrets-command.ts'

const filesOf = (root: string) =>
  Object.fromEntries(
    readdirSync(root, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .map(path => [path.slice(root.length + 1), readFileSync(path, 'utf8').trim()]),
  )

it('makes secrets that fit each other, others each time', () => {
  const [root, another] = [tempDir(), tempDir()]
  expect(makeSecrets(root)).toContain('gateway/key')
  makeSecrets(another)
  const made = filesOf(root)
  expect(made['gateway/store']).toContain(`:${made['postgres/password']}@`)
  expect(`requirepass ${new URL(made['redis/url'] ?? '').password}`).toBe(made['redis/redis.conf'])
  const { publicKeys } = JSON.parse(made['config/netsentinel.json'] ?? '').models
  const signer = readModelKeys({ signingKey: made['models/signing-key'], publicKeys: [] }, '')
  const reader = readModelKeys({ signingKey: undefined, publicKeys }, '')
  expect(reader.problemOf('a', signer.sign('a'))).toBeUndefined()
  for (const [file, content] of Object.entries(filesOf(another))) expect(content).not.toBe(made[file])
})

it('keeps those that are there', () => {
  const root = tempDir()
  makeSecrets(root)
  const before = filesOf(root)
  expect(makeSecrets(root)).toEqual([])
  expect(filesOf(root)).toEqual(before)
})
