import { describe, expect, it } from '@jest/globals'
import { hash } from '@node-rs/argon2'
import { createPasswords } from './passwords.ts'

const passwords = await createPasswords({ concurrency: 1 })

describe('passwords', () => {
  it.each([
    ['73 bytes, where bcrypt would cut', `${'a'.repeat(72)}b`, `${'a'.repeat(72)}c`],
    ['Unicode', 'Пароль—安全', 'Пароль-安全'],
    ['spaces around', ' correct horse ', 'correct horse'],
    ['a NUL inside', 'before\0after', 'before\0other'],
    ['1,024 characters', 'x'.repeat(1_024), 'x'.repeat(1_023)],
  ])('tells exactly that one apart: %s', async (_name, password, other) => {
    const stored = await passwords.hash(password)
    expect(await passwords.verify(password, stored)).toBe(true)
    expect(await passwords.verify(other, stored)).toBe(false)
  })

  it('says no for an unknown user, after as much work', async () => {
    const stored = await passwords.hash('correct horse')
    const time = async (hashed: string | undefined) => {
      const started = process.hrtime.bigint()
      await passwords.verify('wrong', hashed)
      return Number(process.hrtime.bigint() - started)
    }
    const median = async (hashed: string | undefined) => {
      const times: number[] = []
      for (let i = 0; i < 15; i += 1) times.push(await time(hashed))
      return times.toSorted((a, b) => a - b)[7] ?? 0
    }
    expect(await passwords.verify('wrong', undefined)).toBe(false)
    const [known, unknown] = [await median(stored), await median(undefined)]
    // No hash at all takes a thousandth of one; load on the machine does not make that difference.
    expect(unknown).toBeGreaterThan(known / 5)
  })

  it.each([
    ['less memory', { memoryCost: 12_288 }],
    ['fewer passes', { timeCost: 1 }],
    ['another variant', { algorithm: 0 }],
  ])('sees that a hash is out of date: %s', async (_name, options) => {
    const stored = await hash('x', { memoryCost: 19_456, timeCost: 2, parallelism: 1, ...options })
    expect(passwords.isOutdated(stored)).toBe(true)
    expect(passwords.isOutdated(await passwords.hash('x'))).toBe(false)
  })

  it('refuses to queue without end, and serves again afterwards', async () => {
    const stored = await passwords.hash('x')
    const answers = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.verify('x', stored)))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(33)
    expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'NS_SERVICE_UNREACHABLE' },
    })
    expect(await passwords.verify('x', stored)).toBe(true)
  })
})
