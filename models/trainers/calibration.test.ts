import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { calibrate, fitCalibration, scoreOfBudget, scoreOfNats } from './calibration.ts'
import { createRandom } from './random.ts'

/** Scores as models give them: many alike, a long tail to the right. */
const draw = (seed: number, count: number): Float64Array => {
  const random = createRandom(seed)
  return Float64Array.from({ length: count }, () => Math.log(random.next() + 1e-12) ** 2)
}

describe('a calibration', () => {
  it.each([10, 100, 1_000])('lets about one in %d fresh events reach the nats of that budget', budget => {
    const calibration = fitCalibration(draw(1, 20_000))
    const fresh = draw(2, 200_000)
    const reached = fresh.filter(score => calibrate(calibration, score) >= Math.log(budget)).length
    expect((reached * budget) / fresh.length).toBeGreaterThan(0.7)
    expect((reached * budget) / fresh.length).toBeLessThan(1.4)
  })

  it('never falls, and rises without end above all that was seen', () => {
    const scores = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 300 })
    const probe = fc.double({ min: -2e3, max: 2e3, noNaN: true })
    fc.assert(
      fc.property(scores, probe, probe, (seen, one, two) => {
        const calibration = fitCalibration(Float64Array.from(seen))
        const [low, high] = one < two ? [one, two] : [two, one]
        const [below, above] = [calibrate(calibration, low), calibrate(calibration, high)]
        expect(below).toBeGreaterThanOrEqual(0)
        // A float32 edge may lie a rounding above its score.
        expect(above).toBeGreaterThanOrEqual(below - 1e-3)
        expect(Number.isFinite(above)).toBe(true)
        const beyond = Math.max(...seen) + 1
        expect(Number.isFinite(calibrate(calibration, beyond))).toBe(true)
        expect(calibrate(calibration, beyond + 1)).toBeGreaterThan(calibrate(calibration, beyond))
      }),
    )
  })

  it('is 0 for the most usual score', () => {
    expect(calibrate(fitCalibration(Float64Array.of(3, 1, 2)), 1)).toBe(0)
  })
})

describe('scores', () => {
  it('are 0.5 for one event in a thousand, and rise with the budget', () => {
    expect(scoreOfBudget(1000)).toBe(0.5)
    expect(scoreOfBudget(1)).toBe(0)
    expect(scoreOfBudget(100)).toBeCloseTo(0.4, 9)
    expect(scoreOfNats(1e9)).toBeLessThan(1)
  })
})
