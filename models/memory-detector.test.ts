import { describe, expect, it } from '@jest/globals'
import { detectorContract } from '../test/contract/detector.ts'
import { makeEvent } from '../test/support/events.ts'
import { createMemoryDetector } from './memory-detector.ts'

describe('the detector in memory', () => {
  detectorContract(async manifest => createMemoryDetector({ manifest }))

  it('takes the score it is told to, and refuses one that is not a number', async () => {
    const observation = { event: makeEvent(), before: null }
    const [analysis] = await createMemoryDetector({ score: () => 0.25 }).analyze([observation])
    expect(analysis).toMatchObject({ score: 0.25, severity: 'low' })
    await expect(
      createMemoryDetector({ score: () => Number.NaN }).analyze([observation]),
    ).rejects.toMatchObject({
      code: 'NS_SCORING_FAILED',
      message: expect.stringContaining('raw-events-0-0'),
    })
  })
})
