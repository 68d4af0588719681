import { describe, expect, it } from '@jest/globals'
import { countingStage, expectedCounts } from '../support/counting.ts'
import { until } from '../support/services.ts'
import { drained, makeCountingTopics, produce, readValues, run, testKafka } from '../support/stages.ts'

/** Longer than any test: a fetch that is put off for so long does not come. */
const NEVER_MS = 600_000

describe('the time between two fetches', () => {
  it('keeps the first event waiting for nothing, and has those that come meanwhile share a transaction', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 1)
    const stage = countingStage(topics)
    const slow = await run({ ...kafka, config: { ...kafka.config, fetchIntervalMs: NEVER_MS } }, stage)
    await produce(topics.input, { a: 1 })
    await drained(topics.group, topics.input)
    for (let i = 0; i < 3; i++) await produce(topics.input, { a: 1 })
    await slow.service.close()
    expect(await readValues(kafka, topics.output)).toEqual(['a:1'])
    const next = await run(kafka, stage)
    await drained(topics.group, topics.input)
    await until(async () => (await next.transactions('committed')) > 0, { what: 'a transaction' })
    expect(await next.transactions('committed')).toBe(1)
    expect(await readValues(kafka, topics.output)).toEqual(expectedCounts({ a: 4 }))
  })
})
