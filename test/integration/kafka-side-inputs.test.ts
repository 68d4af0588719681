import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { type CountingTopics, countingStage, expectedCounts } from '../support/counting.ts'
import { services, until } from '../support/services.ts'
import {
  drained,
  makeCountingTopics,
  makeTopic,
  produce,
  readAll,
  readValues,
  run,
  testKafka,
} from '../support/stages.ts'

interface SideTopics extends CountingTopics {
  readonly side: string
}

const makeSideTopics = async (partitions: number): Promise<SideTopics> => ({
  ...(await makeCountingTopics(testKafka(), partitions)),
  side: await makeTopic(testKafka(), 'side', { partitions, config: { 'cleanup.policy': 'compact' } }),
})

const allDrained = async ({ group, input, side }: SideTopics) => {
  await drained(group, input)
  await drained(group, side)
}

/** So many records of each of ten keys. */
const load = (count: number, prefix = ''): Record<string, number> =>
  Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${prefix}k${i}`, count]))

const values = async ({ output }: CountingTopics) => (await readValues(testKafka(), output)).toSorted()

describe('a stage with a side input', () => {
  it('knows all that the side input held before it takes a record of the main one', async () => {
    const topics = await makeSideTopics(2)
    for (let round = 0; round < 2; round++) {
      await produce(topics.input, load(40))
      await produce(topics.side, load(200))
      const before = await readAll(testKafka(), topics.output)
      const { service } = await run(testKafka(), countingStage(topics))
      await allDrained(topics)
      await service.close()
      const after = await readAll(testKafka(), topics.output)
      for (const partition of [0, 1]) {
        const { length: seen } = before.filter(each => each.partition === partition)
        const own = after
          .filter(each => each.partition === partition)
          .map(each => String(each.key))
          .slice(seen)
        const firstMain = own.findIndex(key => !key.startsWith('side/'))
        expect(own.slice(firstMain).filter(key => key.startsWith('side/'))).toEqual([])
        expect(firstMain).toBeGreaterThan(0)
      }
    }
    expect(await values(topics)).toEqual(expectedCounts({ ...load(80), ...load(400, 'side/') }))
  })

  it('killed in the middle, again and again, holds each record of both once', async () => {
    const topics = await makeSideTopics(2)
    const brokers = services().kafkaBrokers.join(',')
    const script = resolve(import.meta.dirname, '../support/counting-process.ts')
    const rounds = 3
    for (let round = 0; round < rounds; round++) {
      const child = spawn(process.execPath, [script, brokers, JSON.stringify(topics)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const exited = once(child, 'exit')
      await once(child.stdout, 'data')
      const before = (await readAll(testKafka(), topics.output)).length
      await Promise.all([produce(topics.input, load(500)), produce(topics.side, load(500))])
      const more = async () => (await readAll(testKafka(), topics.output)).length > before
      await until(more, { what: 'some output', timeoutMs: 45_000 })
      child.kill('SIGKILL')
      await exited
    }
    await run(testKafka(), countingStage(topics))
    await allDrained(topics)
    expect(await values(topics)).toEqual(
      expectedCounts({ ...load(500 * rounds), ...load(500 * rounds, 'side/') }),
    )
  }, 180_000)

  it('loses and doubles nothing of both while members join and leave', async () => {
    const topics = await makeSideTopics(4)
    const both = () => Promise.all([produce(topics.input, load(50)), produce(topics.side, load(50))])
    const first = await run(testKafka(), countingStage(topics))
    await both()
    const second = await run(testKafka(), countingStage(topics))
    await both()
    await first.service.close()
    await both()
    await run(testKafka(), countingStage(topics))
    await both()
    await second.service.close()
    await allDrained(topics)
    expect(await values(topics)).toEqual(expectedCounts({ ...load(200), ...load(200, 'side/') }))
  })

  it('takes one that is added to a group with state, and refuses one that is not co-partitioned', async () => {
    const { side, ...topics } = await makeSideTopics(2)
    const first = await run(testKafka(), countingStage(topics))
    await produce(topics.input, load(5))
    await produce(side, load(5))
    await drained(topics.group, topics.input)
    await first.service.close()
    const narrow = await makeTopic(testKafka(), 'narrow')
    await expect(run(testKafka(), countingStage({ ...topics, side: narrow }))).rejects.toMatchObject({
      code: 'NS_TOPIC_MISMATCH',
    })
    await run(testKafka(), countingStage({ ...topics, side }))
    await allDrained({ ...topics, side })
    expect(await values(topics)).toEqual(expectedCounts({ ...load(5), ...load(5, 'side/') }))
  })

  it('that dies before the first record of the main input is none whose offsets were lost', async () => {
    const topics = await makeSideTopics(1)
    await produce(topics.side, load(5))
    const first = await run(testKafka(), countingStage(topics))
    await drained(topics.group, topics.side)
    await first.service.close()
    const second = await run(testKafka(), countingStage(topics))
    await produce(topics.input, load(5))
    await allDrained(topics)
    expect(await second.restores()).toBe(1)
    expect(await values(topics)).toEqual(expectedCounts({ ...load(5), ...load(5, 'side/') }))
  })
})
