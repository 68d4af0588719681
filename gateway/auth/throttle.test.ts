import { describe, expect, it } from '@jest/globals'
import { createMemoryThrottle } from './throttle.ts'

const create = () => {
  let time = 0
  const throttle = createMemoryThrottle({ now: () => time })
  const guess = (account: string, address: string) => throttle.admit({ account, address })
  /** Guesses whenever it may, for so long; returns how often it could. */
  const guessFor = async (ms: number, next: (turn: number) => [string, string]) => {
    const end = time + ms
    let admitted = 0
    for (; time < end; time += 100) {
      const [account, address] = next(time / 100)
      if (await guess(account, address)) admitted += 1
    }
    return admitted
  }
  return {
    throttle,
    guess,
    guessFor,
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('the throttle of logins', () => {
  it('admits five wrong passwords, then makes each further one wait twice as long', async () => {
    const { guess, advance } = create()
    for (let i = 0; i < 6; i += 1) expect(await guess('eve', 'a')).toBe(true)
    expect(await guess('eve', 'a')).toBe(false)
    advance(1_000)
    expect(await guess('eve', 'a')).toBe(true)
    advance(1_999)
    expect(await guess('eve', 'a')).toBe(false)
    advance(1)
    expect(await guess('eve', 'a')).toBe(true)
  })

  it('counts guesses that are made at the same time', async () => {
    const { guess } = create()
    const answers = await Promise.all(Array.from({ length: 100 }, () => guess('eve', 'a')))
    expect(answers.filter(Boolean)).toHaveLength(6)
  })

  it('allows few guesses of one account in an hour, from one address or from many', async () => {
    const one = create()
    expect(await one.guessFor(3_600_000, () => ['eve', 'a'])).toBeLessThan(25)
    const many = create()
    const fromMany = await many.guessFor(3_600_000, turn => ['eve', `a${turn}`])
    expect(fromMany).toBeLessThan(200)
  })

  it('allows few guesses of many accounts from one address', async () => {
    const { guessFor } = create()
    expect(await guessFor(3_600_000, turn => [`user${turn}`, 'a'])).toBeLessThan(80)
  })

  it('does not let an attacker elsewhere keep the owner out for longer than half a minute', async () => {
    const { guessFor, guess, advance } = create()
    await guessFor(3_600_000, turn => ['eve', `attacker ${turn}`])
    advance(30_000)
    expect(await guess('eve', 'home')).toBe(true)
  })

  it('forgets the failures of who then logs in, and a withdrawn attempt', async () => {
    const { throttle, guess } = create()
    const attempt = { account: 'eve', address: 'a' }
    for (let i = 0; i < 5; i += 1) await throttle.admit(attempt)
    await throttle.succeeded(attempt)
    for (let i = 0; i < 6; i += 1) {
      expect(await guess('eve', 'a')).toBe(true)
      if (i < 3) await throttle.withdrawn(attempt)
    }
    expect(await guess('eve', 'a')).toBe(true)
  })

  it('forgets failures after an hour', async () => {
    const { guess, advance } = create()
    for (let i = 0; i < 6; i += 1) await guess('eve', 'a')
    advance(3_600_000)
    for (let i = 0; i < 6; i += 1) expect(await guess('eve', 'a')).toBe(true)
  })
})
