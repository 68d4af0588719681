import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Comparison, passGates, precisionOf } from './gates.ts'
import { guardChampion } from './guard.ts'

const none = { truePositives: 0, falsePositives: 0 }
const alike: Comparison = {
  rows: 10_000,
  budget: 200,
  champion: { alerts: 50, ...none },
  challenger: { alerts: 60, ...none },
  agreement: { rank: 0.8, top: 0.7 },
  verdicts: none,
}
const shut = (change: Partial<Comparison>): string[] =>
  passGates({ ...alike, ...change }).gates.flatMap(({ name, passed }) => (passed ? [] : [name]))

describe('the gates', () => {
  it('let a challenger through that does as the champion does, with reasons', () => {
    const { promote, reason } = passGates(alike)
    expect(promote).toBe(true)
    expect(reason).toContain('it reports 60 of 10000 rows where the champion reports 50')
  })

  it.each<[string, Partial<Comparison>, string[]]>([
    [
      'few rows',
      { rows: 400, champion: { alerts: 2, ...none }, challenger: { alerts: 3, ...none } },
      ['rows'],
    ],
    ['far more alerts', { challenger: { alerts: 900, ...none } }, ['calibration', 'alert-rate']],
    [
      'no alerts any more',
      { champion: { alerts: 400, ...none }, challenger: { alerts: 0, ...none } },
      ['alert-rate'],
    ],
    ['another order', { agreement: { rank: 0.1, top: 0.1 } }, ['agreement']],
    ['another order but for the top', { agreement: { rank: 0.1, top: 0.5 } }, []],
    [
      'attacks missed',
      {
        verdicts: { truePositives: 20, falsePositives: 0 },
        champion: { alerts: 50, truePositives: 20, falsePositives: 0 },
        challenger: { alerts: 50, truePositives: 15, falsePositives: 0 },
      },
      ['verdicts'],
    ],
    [
      'what was found to be nothing reported again',
      {
        verdicts: { truePositives: 0, falsePositives: 20 },
        champion: { alerts: 50, truePositives: 0, falsePositives: 5 },
        challenger: { alerts: 50, truePositives: 0, falsePositives: 15 },
      },
      ['verdicts'],
    ],
    [
      'too few verdicts',
      {
        verdicts: { truePositives: 4, falsePositives: 0 },
        champion: { alerts: 50, truePositives: 4, falsePositives: 0 },
      },
      [],
    ],
  ])('say of %s what is wrong', (_, change, gates) => {
    expect(shut(change)).toEqual(gates)
    expect(passGates({ ...alike, ...change }).promote).toBe(gates.length === 0)
  })

  it('never open by more alerts alone, and always say why', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(5_000), (fewer, more) => {
        const at = (alerts: number) =>
          passGates({ ...alike, champion: { alerts: 10, ...none }, challenger: { alerts, ...none } })
        const [low, high] = [Math.min(fewer, more), Math.max(fewer, more)]
        if (at(high).promote) expect(at(low).promote).toBe(true)
        expect(at(high).reason).not.toBe('')
      }),
    )
  })

  it('know no precision without verdicts', () => {
    expect(precisionOf(none)).toBeUndefined()
    expect(precisionOf({ truePositives: 3, falsePositives: 1 })).toBe(0.75)
  })
})

describe('the guard', () => {
  it('keeps a champion that does as it did, and one of which little is seen', () => {
    expect(guardChampion({ events: 10_000, alerts: 70, scoreDrift: 0.1 }, 0.005)).toEqual({
      keep: true,
      seen: true,
    })
    expect(guardChampion({ events: 100, alerts: 100, scoreDrift: 9 }, 0.005)).toEqual({
      keep: true,
      seen: false,
    })
  })

  it('sends one back that reports many times more, or whose scores are others', () => {
    expect(guardChampion({ events: 10_000, alerts: 1_000, scoreDrift: 0 }, 0.005)).toMatchObject({
      keep: false,
      reason: expect.stringContaining('it reports 10.00 % of 10000 events'),
    })
    expect(guardChampion({ events: 10_000, alerts: 50, scoreDrift: 2 }, 0.005)).toMatchObject({
      keep: false,
      reason: expect.stringContaining('stability index of 2.00'),
    })
  })
})
