import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../runtime/config.ts'
import { modelsConfig, readModelKeys } from './keys.ts'

const temp = () => mkdtempSync(join(tmpdir(), 'netsentinel-keys-'))

const keysOf = (env: Readonly<Record<string, string>>, dir = temp()) =>
  readModelKeys(loadConfig({ models: modelsConfig }, env).models, dir)

const pem = () =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()

describe('the keys of models', () => {
  it('are made on first use, readable by nobody else, and are the same from then on', () => {
    const dir = temp()
    const [first, second] = [keysOf({}, dir), keysOf({}, dir)]
    expect(second.publicKey).toBe(first.publicKey)
    expect(readdirSync(dir)).toEqual(['models.key'])
    expect(statSync(join(dir, 'models.key')).mode & 0o777).toBe(0o600)
    expect(second.problemOf('text', first.sign('text'))).toBeUndefined()
  })

  it('of a scorer elsewhere believe what the named key signed, and sign nothing', () => {
    const dir = temp()
    const signer = keysOf({ MODELS_SIGNING_KEY: pem() })
    const scorer = keysOf({ MODELS_PUBLIC_KEYS: signer.publicKey ?? '' }, dir)
    expect(scorer.problemOf('text', signer.sign('text'))).toBeUndefined()
    expect(() => scorer.sign('text')).toThrow('MODELS_SIGNING_KEY is not set')
    expect(readdirSync(dir)).toEqual([])
  })

  it('do not believe another text, another key, or a signature that was touched', () => {
    const keys = keysOf({ MODELS_SIGNING_KEY: pem() })
    const signed = keys.sign('text')
    expect(keys.problemOf('other', signed)).toContain('does not fit')
    expect(keys.problemOf('text', { ...signed, signature: `A${signed.signature.slice(1)}` })).toContain(
      'not fit',
    )
    expect(keysOf({ MODELS_SIGNING_KEY: pem() }).problemOf('text', signed)).toContain('not one of those')
  })

  it.each([
    ['a signing key that is none', { MODELS_SIGNING_KEY: 'hello' }, 'MODELS_SIGNING_KEY is no private key'],
    ['a public key that is none', { MODELS_PUBLIC_KEYS: 'hello' }, "'hello' is not 32 bytes"],
  ])('refuse %s', (_, env, reason) => {
    expect(() => keysOf(env)).toThrow(reason)
  })

  it('refuse a key of another kind', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const text = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    expect(() => keysOf({ MODELS_SIGNING_KEY: text })).toThrow('is not an Ed25519 key')
  })
})
