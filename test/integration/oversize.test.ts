import { afterAll, describe, expect, it } from '@jest/globals'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { advance } from '../../models/features/state.ts'
import { replayDeadLetters } from '../../pipelines/dead-letters/replay.ts'
import type { Behaviour } from '../../schemas/generated.ts'
import { countingStage, expectedCounts } from '../support/counting.ts'
import { makeEvent } from '../support/events.ts'
import { loginLine, runPipeline } from '../support/pipeline.ts'
import { makeScoringSystem } from '../support/scoring.ts'
import { unique } from '../support/services.ts'
import { drained, makeCountingTopics, readAll, readValues, run, testKafka } from '../support/stages.ts'

/** A dead letter in short: stage, code, offset, how many bytes it holds, and whether its bytes were withheld. */
const inShort = ({ headers, value }: InputRecord) =>
  ['ns-stage', 'ns-code', 'ns-offset', 'ns-withheld']
    .map(name => String(headers[name] ?? '-'))
    .concat(String(value === null ? null : value.length))
    .join(' ')

// The limit of inflation is one for the process: put back what other tests expect.
afterAll(() => void testKafka())

describe('what is too large', () => {
  it('is a dead letter that says so, of ingest and of scoring, and the rest goes on', async () => {
    const { kafka, topics, threatCodec, process } = await runPipeline({
      KAFKA_MAX_RECORD_BYTES: '20000',
      TOPIC_PARTITIONS: '1',
    })
    const line = (padding: number) => ({ key: null, value: loginLine(padding) })
    const junk = { key: 'k', value: Buffer.alloc(30_000, 0x78) }
    await process([line(0), line(9_500), line(18_900), line(100_000), junk, line(0)])
    const letters = await readAll(kafka, topics.deadLetters.name)
    const events = await readAll(kafka, topics.events.name)
    expect(letters.map(inShort).toSorted()).toEqual([
      'ingest NS_TOO_LARGE 3 true null',
      'ingest NS_TOO_LARGE 4 true null',
      // Its event is small enough, a form of its threat is not.
      `scoring NS_TOO_LARGE ${events[2]?.offset} - ${events[2]?.value?.length}`,
    ])
    const threats = await readAll(kafka, topics.threats.name)
    const ids = await Promise.all(
      threats.map(async threat => (await threatCodec.decode(threat.value ?? Buffer.alloc(0))).id),
    )
    expect(ids).toEqual([0, 1, 5].map(offset => `${topics.rawEvents.name}-0-${offset}`))
    const report = await replayDeadLetters({
      kafka,
      topic: topics.deadLetters.name,
      origins: [],
      transactionalId: unique('replay'),
      selection: { code: 'NS_TOO_LARGE' },
      limit: 100,
      again: false,
      dryRun: true,
      signal: new AbortController().signal,
    })
    expect(report.withheld).toBe(2)
  })

  it('is a batch that inflates beyond the limit, which is one dead letter and stops nothing', async () => {
    const { kafka, topics, metrics, process } = await runPipeline({
      KAFKA_MAX_INFLATED_BYTES: '100000',
      TOPIC_PARTITIONS: '1',
    })
    const bomb = Array.from({ length: 3 }, () => ({ key: null, value: Buffer.alloc(200_000) }))
    for (const compression of ['gzip', 'zstd'] as const) {
      await process([{ key: null, value: loginLine() }])
      await process(bomb, compression)
      await process([{ key: null, value: loginLine() }], compression)
    }
    const letters = await readAll(kafka, topics.deadLetters.name)
    expect(letters.map(inShort)).toEqual([
      'ingest NS_DECOMPRESSION_LIMIT 1 true null',
      'ingest NS_DECOMPRESSION_LIMIT 6 true null',
    ])
    expect(String(letters[0]?.headers['ns-reason'])).toBe(
      `${topics.rawEvents.name}-0, offsets 1 to 3: a gzip batch of 3 records inflates to more than 100000 bytes`,
    )
    expect(await readAll(kafka, topics.threats.name)).toHaveLength(4)
    expect(await metrics.registry.metrics()).toContain(
      'netsentinel_dead_letters_total{stage="ingest",code="NS_DECOMPRESSION_LIMIT"} 2',
    )
  })

  it('is no state of an entity, whatever its events hold', async () => {
    const { codecs } = await makeScoringSystem()
    const wide = (i: number) => `${i} ${'\u{ffff}'.repeat(10_000)}`
    let behaviour: Behaviour | null = null
    for (let i = 0; i < 300; i++) {
      const texts = { dstIp: null, dstHost: wide(i), user: wide(i), type: wide(i) }
      behaviour = advance(behaviour, makeEvent({ ...texts, dstPort: 2_147_483_647 - i }))
    }
    // At most 64 members of at most 128 units of 3 bytes in each of three sets, and the entity itself.
    const bytes = codecs.entityState.encode({ id: 'e'.repeat(1_000), behaviour, model: null }).length
    expect(bytes).toBeGreaterThan(3 * 64 * 127 * 3)
    expect(bytes).toBeLessThan(1_000 + 3 * 64 * 128 * 3 + 2_000)
  })
})

describe('a partition with a backlog', () => {
  it('does not keep the others of its broker waiting', async () => {
    const kafka = testKafka({ KAFKA_MAX_FETCH_BYTES: '30000', KAFKA_MAX_BYTES_PER_PARTITION: '30000' })
    const topics = await makeCountingTopics(kafka, 2)
    const producer = await createBatchProducer({ kafka })
    const send = (partition: number, key: string, count: number) =>
      producer.send(
        topics.input,
        Array.from({ length: count }, () => ({ key, partition, value: Buffer.alloc(1_000) })),
      )
    for (let i = 0; i < 100; i++) await send(0, 'long', 25)
    let [long, longBefore] = [0, 0]
    const before = async (records: readonly InputRecord[]) => {
      // From here on both partitions are read.
      if (long === 0) await send(1, 'short', 25)
      if (records[0]?.partition === 0) long += records.length
      else longBefore = long
    }
    await run(kafka, countingStage(topics, { before }))
    await drained(topics.group, topics.input)
    await producer.close()
    expect((await readValues(kafka, topics.output)).toSorted()).toEqual(
      expectedCounts({ long: 2_500, short: 25 }),
    )
    expect(longBefore).toBeLessThan(500)
  })
})
