import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { throttleContract } from '../../test/contract/throttle.ts'
import {
  createFailClosedThrottle,
  createMemoryThrottle,
  LOCAL_LIMITS,
  type LoginThrottle,
  SHARED_LIMITS,
} from './throttle.ts'

describe('the throttle in memory', () => {
  throttleContract(async deps => {
    const throttle = createMemoryThrottle(deps)
    return [throttle, throttle]
  })

  it('forgets failures after an hour', async () => {
    let time = 0
    const throttle = createMemoryThrottle({ limits: { ...SHARED_LIMITS, overall: 100 }, now: () => time })
    const guess = () => throttle.admit({ account: 'eve', address: 'a' })
    for (let i = 0; i < 6; i += 1) await guess()
    time += 3_600_000
    for (let i = 0; i < 6; i += 1) expect(await guess()).toBe('admitted')
  })
})

describe('the throttle that fails closed', () => {
  const create = (error: Error) => {
    const fail = () => Promise.reject(error)
    const shared: LoginThrottle = { admit: fail, succeeded: fail, withdrawn: fail }
    const local = createMemoryThrottle({ limits: LOCAL_LIMITS, now: () => 0 })
    return createFailClosedThrottle({ shared, local, log: silentLog() })
  }

  it('is stricter while the shared one is away, and never unlimited', async () => {
    const throttle = create(new SentinelError('NS_SERVICE_UNREACHABLE', 'redis is away'))
    const answers: string[] = []
    for (let i = 0; i < 20; i += 1) answers.push(await throttle.admit({ account: 'eve', address: 'a' }))
    expect(answers.filter(answer => answer === 'admitted').length).toBeLessThan(SHARED_LIMITS.pair)
    await throttle.succeeded({ account: 'eve', address: 'a' })
    await throttle.withdrawn({ account: 'eve', address: 'a' })
    expect(await throttle.admit({ account: 'eve', address: 'a' })).toBe('admitted')
  })

  it('passes on what it does not expect', async () => {
    await expect(create(new Error('defect')).admit({ account: 'eve', address: 'a' })).rejects.toThrow(
      'defect',
    )
  })
})
