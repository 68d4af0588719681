import { expect, it } from '@jest/globals'
import type { LoginThrottle, ThrottleLimits } from '../../gateway/auth/throttle.ts'

/** Limits of the throttles here; the one for all accounts is out of the way where it is not what is tested. */
const LIMITS: ThrottleLimits = { pair: 5, account: 25, address: 50, overall: 10_000 }

/** A throttle and another gateway's that counts with it, which may be the same one. */
type Create = (deps: {
  readonly limits: ThrottleLimits
  readonly now: () => number
}) => Promise<readonly [LoginThrottle, LoginThrottle]>

/** What every throttle of logins must do. */
export const throttleContract = (createThrottles: Create): void => {
  const create = async (limits: Partial<ThrottleLimits> = {}) => {
    let time = 1_700_000_000_000
    const throttles = await createThrottles({ limits: { ...LIMITS, ...limits }, now: () => time })
    let turns = 0
    /** Guesses go to the gateways in turn. */
    const admit = (account: string, address: string) => {
      turns += 1
      return throttles[turns % 2 === 0 ? 0 : 1].admit({ account, address })
    }
    const guess = async (account: string, address: string) => (await admit(account, address)) === 'admitted'
    /** Guesses every so often for so long; returns how often it could. */
    const guessFor = async (ms: number, everyMs: number, next: (turn: number) => [string, string]) => {
      const end = time + ms
      let admitted = 0
      for (let turn = 0; time < end; time += everyMs, turn += 1) {
        const [account, address] = next(turn)
        if (await guess(account, address)) admitted += 1
      }
      return admitted
    }
    return {
      throttle: throttles[0],
      admit,
      guess,
      guessFor,
      advance: (ms: number) => {
        time += ms
      },
    }
  }

  it('admits five wrong passwords, then makes each further one wait twice as long', async () => {
    const { guess, advance } = await create()
    for (let i = 0; i < 6; i += 1) expect(await guess('eve', 'a')).toBe(true)
    expect(await guess('eve', 'a')).toBe(false)
    advance(1_000)
    expect(await guess('eve', 'a')).toBe(true)
    advance(1_999)
    expect(await guess('eve', 'a')).toBe(false)
    advance(1)
    expect(await guess('eve', 'a')).toBe(true)
  })

  it('counts guesses that are made at the same time, at several gateways', async () => {
    const { guess } = await create()
    const answers = await Promise.all(Array.from({ length: 100 }, () => guess('eve', 'a')))
    expect(answers.filter(Boolean)).toHaveLength(6)
  })

  it('allows few guesses of one account in an hour, from one address or from many', async () => {
    const one = await create()
    expect(await one.guessFor(3_600_000, 1_000, () => ['eve', 'a'])).toBeLessThan(25)
    const many = await create()
    expect(await many.guessFor(3_600_000, 1_000, turn => ['eve', `a${turn}`])).toBeLessThan(200)
  })

  it('allows few guesses of many accounts from one address', async () => {
    const { guessFor } = await create()
    expect(await guessFor(3_600_000, 1_000, turn => [`user${turn}`, 'a'])).toBeLessThan(80)
  })

  it('does not let an attacker elsewhere keep the owner out for longer than half a minute', async () => {
    const { guessFor, guess, advance } = await create()
    await guessFor(600_000, 1_000, turn => ['eve', `attacker ${turn}`])
    advance(30_000)
    expect(await guess('eve', 'home')).toBe(true)
  })

  it('says that it is busy when guesses come from everywhere, and is not in the next minute', async () => {
    const { admit, advance } = await create({ overall: 20 })
    const answers: string[] = []
    for (let i = 0; i < 30; i += 1) answers.push(await admit(`user${i}`, `a${i}`))
    expect(answers.slice(0, 21)).toEqual(Array(21).fill('admitted'))
    expect(answers.slice(21)).toEqual(Array(9).fill('busy'))
    advance(60_000)
    expect(await admit('eve', 'home')).toBe('admitted')
  })

  it('forgets the failures of who then logs in, and a withdrawn attempt', async () => {
    const { throttle, guess } = await create()
    const attempt = { account: 'eve', address: 'a' }
    for (let i = 0; i < 5; i += 1) await throttle.admit(attempt)
    await throttle.succeeded(attempt)
    for (let i = 0; i < 6; i += 1) {
      expect(await guess('eve', 'a')).toBe(true)
      if (i < 3) await throttle.withdrawn(attempt)
    }
    expect(await guess('eve', 'a')).toBe(true)
  })

  it('does not count good logins against an address', async () => {
    const { throttle } = await create()
    for (let i = 0; i < 200; i += 1) {
      const attempt = { account: `user${i}`, address: 'office' }
      expect(await throttle.admit(attempt)).toBe('admitted')
      await throttle.succeeded(attempt)
    }
  })
}
