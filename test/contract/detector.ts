import { afterEach, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Detector, ModelManifest, Observation } from '../../models/detector.ts'
import { featureRows } from '../../models/features/features.ts'
import { observe } from '../../models/features/observe.ts'
import type { Event } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../support/events.ts'

/**
 * What every detector must do. `create` makes one whose manifest has the given cut-offs; it is closed after each test.
 */
export const detectorContract = (
  create: (cutOffs: Partial<Pick<ModelManifest, 'threshold' | 'severities'>>) => Promise<Detector>,
): void => {
  const open: Detector[] = []
  const detector = async (cutOffs: Parameters<typeof create>[0] = {}) => {
    const made = await create(cutOffs)
    open.push(made)
    return made
  }
  afterEach(async () => {
    await Promise.all(open.splice(0).map(each => each.close()))
  })

  const events = (count: number): Event[] =>
    fc.sample(anyEvent(), { numRuns: count, seed: 42 }).map((event, i) => ({ ...event, id: `e-${i}` }))
  const sample = (count: number): Observation[] => observe(events(count))

  it('gives one analysis an observation, each score 0 to 1, with the scores of its models', async () => {
    const analyses = await (await detector()).analyze(sample(300))
    expect(analyses).toHaveLength(300)
    for (const { score, modelScores } of analyses) {
      expect(score).toBeGreaterThanOrEqual(0)
      expect(score).toBeLessThanOrEqual(1)
      expect(Object.values(modelScores).length).toBeGreaterThan(0)
    }
  })

  it('does not give every event the same score', async () => {
    const analyses = await (await detector()).analyze(sample(300))
    expect(new Set(analyses.map(each => each.score)).size).toBeGreaterThan(30)
  })

  it('answers nothing with nothing', async () => {
    expect(await (await detector()).analyze([])).toEqual([])
  })

  it('scores an observation to the bit alike, in order, whatever else is in the call', async () => {
    const made = await detector()
    const observations = sample(200)
    const whole = await made.analyze(observations)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 12 }), async cuts => {
        const bounds = [0, ...cuts.toSorted((a, b) => a - b), 200]
        const parts = bounds.slice(1).map((to, i) => observations.slice(bounds[i], to))
        // Not one after the other: calls in flight at the same time must not mix.
        const pieces = await Promise.all(parts.map(part => made.analyze(part)))
        expect(pieces.flat()).toEqual(whole)
      }),
      { numRuns: 30 },
    )
  })

  it('judges by the past of the entity, not by the event alone', async () => {
    const made = await detector()
    const events = Array.from({ length: 50 }, (_, i) =>
      makeEvent({ time: 1_700_000_000_000 + i * 10, dstPort: 1000 + i }),
    )
    const analyses = await made.analyze(observe(events))
    expect(analyses.at(-1)?.score).not.toBe(analyses[0]?.score)
  })

  it('puts scores into words by the cut-offs of the manifest', async () => {
    const observations = sample(20)
    const made = await detector({ severities: { medium: 0, high: 0, critical: 0 } })
    const words = (await made.analyze(observations)).map(each => each.severity)
    expect(new Set(words)).toEqual(new Set(['critical']))
    const lenient = await detector({ severities: { medium: 0, high: 1, critical: 1 } })
    const others = (await lenient.analyze(observations)).filter(each => each.score < 1)
    expect(new Set(others.map(each => each.severity))).toEqual(new Set(['medium']))
  })

  it('names the features that made a score at or above the threshold, largest share first', async () => {
    const observations = sample(300)
    const scores = (await (await detector()).analyze(observations)).map(each => each.score)
    const threshold = scores.toSorted((a, b) => a - b)[250] ?? 0
    const made = await detector({ threshold })
    const analyses = await made.analyze(observations)
    for (const [i, { score, contributions }] of analyses.entries()) {
      if (score < threshold) {
        expect(contributions).toEqual([])
        continue
      }
      expect(contributions.length).toBeGreaterThan(0)
      const shares = contributions.map(each => each.share)
      expect(shares).toEqual(shares.toSorted((a, b) => b - a))
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThan(1.0001)
      const row = featureRows(observations.slice(i, i + 1))
      for (const { feature, value, expectedLow, expectedHigh } of contributions) {
        const column = made.manifest.features.indexOf(feature)
        expect(value).toBeCloseTo(row[column] ?? Number.NaN, 3)
        expect(expectedLow).toBe(made.manifest.expected.low[column] ?? null)
        expect(expectedHigh).toBe(made.manifest.expected.high[column] ?? null)
      }
    }
  })

  it('trains the same model to the byte from the same events and seed, another from another seed', async () => {
    const made = await detector()
    const some = events(300)
    const options = { version: 'next', sequence: 7, seed: 3 }
    const [one, two, other] = [
      await made.train(some, options),
      await made.train(some, options),
      await made.train(some, { ...options, seed: 4 }),
    ]
    expect(Buffer.from(one.onnx).equals(two.onnx)).toBe(true)
    expect(one.manifest).toEqual(two.manifest)
    expect(one.manifest).toMatchObject({ ...options, rows: 300 })
    expect(other.manifest.sha256).not.toBe(one.manifest.sha256)
  })

  it('refuses to score once it is closed, and may be closed twice', async () => {
    const made = await detector()
    await made.close()
    await made.close()
    await expect(made.analyze(sample(1))).rejects.toMatchObject({ code: 'NS_SCORING_FAILED' })
  })
}
