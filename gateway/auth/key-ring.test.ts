import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import { tempDir } from '../../test/support/temp.ts'
import { openStore } from '../store/open-store.ts'
import { openKeyRing } from './key-ring.ts'
import { createSealer } from './sealing.ts'

const TOKEN_LIFE_MS = 900_000
const LEAD_MS = 10_000
const ROTATE_MS = 86_400_000

const open: Array<() => Promise<void>> = []
afterAll(async () => {
  for (const close of open) await close()
})

const create = async () => {
  const store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
  open.push(() => store.close())
  let time = 1_700_000_000_000
  const ring = (secret = 'k'.repeat(32)) =>
    openKeyRing({
      store,
      sealer: createSealer(secret),
      tokenLifeMs: TOKEN_LIFE_MS,
      rotateAfterMs: ROTATE_MS,
      leadMs: LEAD_MS,
      now: () => time,
    })
  return {
    store,
    ring,
    advance: (ms: number) => {
      time += ms
    },
  }
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

describe('the keys that tokens are signed with', () => {
  it('are the same for every gateway, also of those that start at once', async () => {
    const { ring } = await create()
    const rings = await Promise.all([ring(), ring(), ring()])
    const kids = rings.map(each => kidOf(each.signer().sign({})))
    expect(new Set(kids).size).toBe(1)
    expect(rings[0]?.verifier('../../etc/passwd')).toBeUndefined()
  })

  it('are published before they sign, and verify until the last token has expired', async () => {
    const { ring, advance, store } = await create()
    const [one, two] = [await ring(), await ring()]
    const first = kidOf(one.signer().sign({}))
    const second = (await one.rotate()) ?? ''
    expect(one.publicKeys().map(({ kid }) => kid)).toEqual([second, first])
    expect(kidOf(one.signer().sign({}))).toBe(first)
    await two.refresh()
    advance(LEAD_MS)
    for (const each of [one, two]) {
      expect(kidOf(each.signer().sign({}))).toBe(second)
      expect(each.verifier(first)).toBeDefined()
    }
    advance(TOKEN_LIFE_MS + 29_999)
    expect(two.verifier(first)).toBeDefined()
    advance(1)
    // Refused from that moment, whether it has been deleted or not.
    expect(two.verifier(first)).toBeUndefined()
    expect(two.publicKeys().map(({ kid }) => kid)).toEqual([second])
    await two.refresh()
    expect((await store.listSigningKeys()).map(({ kid }) => kid)).toEqual([second])
  })

  it('follow each other in the order that they were made in, also by a gateway whose clock is behind', async () => {
    const { ring, advance, store } = await create()
    const one = await ring()
    const made: string[] = []
    for (const ms of [0, -20_000, 0, -5_000]) {
      advance(ms)
      made.unshift((await one.rotate()) ?? '')
    }
    expect((await store.listSigningKeys()).map(({ kid }) => kid).slice(0, 4)).toEqual(made)
  })

  it('are replaced when they are old, by one gateway', async () => {
    const { ring, advance, store } = await create()
    const rings = [await ring(), await ring()]
    advance(ROTATE_MS - 1)
    await Promise.all(rings.map(each => each.refresh()))
    expect(await store.listSigningKeys()).toHaveLength(1)
    advance(1)
    await Promise.all(rings.map(each => each.refresh()))
    expect(await store.listSigningKeys()).toHaveLength(2)
  })

  it('are published by their public members alone', async () => {
    const { ring } = await create()
    const [jwk] = (await ring()).publicKeys()
    expect(Object.keys(jwk ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  it('are not opened with another key than they were sealed with, or when they are of another kind', async () => {
    const { ring, store } = await create()
    await ring()
    await expect(ring('K'.repeat(32))).rejects.toMatchObject({ code: 'NS_CONFIG_INVALID' })
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      publicKeyEncoding: { type: 'spki', format: 'der' },
    })
    const [newest] = await store.listSigningKeys()
    const sealed = createSealer('k'.repeat(32)).seal(privateKey, 'signing key rsa')
    await store.addSigningKey({ kid: 'rsa', sealed, createdAt: 9e12, signsFrom: 0 }, newest?.kid)
    await expect(ring()).rejects.toMatchObject({ code: 'NS_CONFIG_INVALID' })
  })
})
