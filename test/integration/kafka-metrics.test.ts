import { describe, expect, it } from '@jest/globals'
import { countingStage } from '../support/counting.ts'
import { until } from '../support/services.ts'
import {
  drained,
  makeCountingTopics,
  makeTopic,
  produce,
  type RunningStage,
  run,
  testKafka,
} from '../support/stages.ts'

/** The gauges of partitions: `name topic partition` to value. */
const gauges = async ({ metrics }: RunningStage): Promise<Map<string, number>> => {
  const text = await metrics.registry.metrics()
  const found = text.matchAll(
    /^netsentinel_((?:lag|state)_\w+)\{stage="counting",topic="(\w+)-[^"]*",partition="(\d+)"\} (\S+)$/gm,
  )
  return new Map(
    [...found].map(([, name, topic, partition, value]) => [`${name} ${topic} ${partition}`, Number(value)]),
  )
}

const sumOf = (values: ReadonlyMap<string, number>, prefix: string): number =>
  [...values].reduce((sum, [name, value]) => sum + (name.startsWith(prefix) ? value : 0), 0)

describe('the metrics of a stage', () => {
  it('say how far its partitions are behind, whether they are read or not, until they leave', async () => {
    const side = await makeTopic(testKafka(), 'side', { partitions: 2 })
    const topics = { ...(await makeCountingTopics(testKafka())), side }
    let held = Promise.withResolvers<void>()
    held.resolve()
    const stage = await run(testKafka(), countingStage(topics, { before: () => held.promise }))
    await produce(topics.input, { a: 20, b: 20, c: 20 })
    await produce(side, { a: 3 })
    await drained(topics.group, topics.input)
    await drained(topics.group, side)
    const caughtUp = await gauges(stage)
    expect([...caughtUp.keys()].toSorted()).toEqual(
      [
        ...[0, 1].flatMap(p => [`lag_records in ${p}`, `lag_seconds in ${p}`]),
        ...[0, 1].flatMap(p => [`lag_records side ${p}`, `lag_seconds side ${p}`]),
        ...[0, 1].flatMap(p => [`state_entries state ${p}`, `state_bytes state ${p}`]),
      ].toSorted(),
    )
    expect([sumOf(caughtUp, 'lag_records'), sumOf(caughtUp, 'lag_seconds')]).toEqual([0, 0])
    expect([sumOf(caughtUp, 'state_entries'), sumOf(caughtUp, 'state_bytes')]).toEqual([4, 40])

    held = Promise.withResolvers()
    await produce(topics.input, { a: 7, b: 7 })
    // The first batch is in hand and not done, the rest is not even fetched.
    const behind = async () => {
      const values = await gauges(stage)
      return sumOf(values, 'lag_records in') === 14 && sumOf(values, 'lag_seconds in') > 0
    }
    await until(behind, { what: 'a lag of 14 records' })
    held.resolve()
    await drained(topics.group, topics.input)
    expect(sumOf(await gauges(stage), 'lag_')).toBe(0)

    await run(testKafka(), countingStage(topics))
    await until(async () => (await gauges(stage)).size === 6, { what: 'one partition in the metrics' })
    await stage.service.close()
    expect((await gauges(stage)).size).toBe(0)
  })
})
