import { describe, expect, it } from '@jest/globals'
import { topicOffsets, withAdmin } from '../../connectors/kafka/admin.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { openTopicWriter } from '../../connectors/kafka/write-topic.ts'
import { assembleScoring } from '../../pipelines/scoring/assemble.ts'
import { diffTopics, type Finding } from '../../pipelines/scoring/diff-topics.ts'
import { rescore } from '../../pipelines/scoring/rescore.ts'
import type { Window } from '../../pipelines/scoring/window.ts'
import { furtherThreats } from '../../schemas/topics.ts'
import { ARRIVED, makeScoringSystem, type ScoringSystem, scanEvents } from '../support/scoring.ts'
import { runCli } from '../support/services.ts'
import { drained, readAll, run } from '../support/stages.ts'

const EVERYTHING: Window = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

const groupOf = ({ config }: ScoringSystem) => `${config.topics.prefix}scoring`

/** Runs the live stage until it has read everything, and ends it. */
const scoreLive = async (system: ScoringSystem) => {
  const { config, kafka, topics } = system
  const { stage, close } = await assembleScoring({ config })
  const { service } = await run(kafka, stage)
  await drained(groupOf(system), topics.events.name)
  await service.close()
  await close()
}

const scoreAgain = async (
  system: ScoringSystem,
  name: string,
  {
    window = EVERYTHING,
    signal = new AbortController().signal,
    onProgress = () => undefined,
  }: Partial<Parameters<typeof rescore>[0]> = {},
) => {
  const { config, kafka } = system
  const into = furtherThreats(config.topics, name, config.topics.partitions)
  if (into === undefined) throw new Error(`${name} is taken`)
  const poison: string[] = []
  const { stage, close } = await assembleScoring({
    config,
    threats: into.name,
    deadLetter: (record, error) => {
      poison.push(error.code)
      return { topic: 'none', key: record.key, value: null, timestamp: record.timestamp }
    },
  })
  try {
    const done = await rescore({ kafka, stage, into, window, signal, onProgress })
    return { topic: into.name, done, poison }
  } finally {
    await close()
  }
}

const compare = async ({ kafka, codecs, topics }: ScoringSystem, other: string, window = EVERYTHING) => {
  const findings: Finding[] = []
  const summary = await diffTopics({
    kafka,
    codec: codecs.threat,
    topics: { a: topics.threats.name, b: other },
    window,
    ignore: new Set(),
    onFinding: finding => void findings.push(finding),
  })
  return { findings, summary }
}

const ends = async ({ kafka, topics }: ScoringSystem) => {
  const { threats, threatsOcsf, entityState, deadLetters, events } = topics
  const names = [threats, threatsOcsf, entityState, deadLetters, events].map(topic => topic.name)
  return Promise.all(names.map(name => topicOffsets(kafka, name)))
}

const committed = ({ kafka, topics }: ScoringSystem, group: string) =>
  withAdmin(kafka, 'reading offsets', admin =>
    admin.fetchOffsets({ groupId: group, topics: [topics.events.name] }),
  )

/** The groups under which topics are read to their end. */
const readingGroups = async ({ kafka }: ScoringSystem): Promise<string[]> => {
  const { groups } = await withAdmin(kafka, 'listing groups', admin => admin.listGroups())
  return groups.map(each => each.groupId).filter(group => group.startsWith('netsentinel-read-'))
}

describe('scoring again', () => {
  it('knows each of many entities by what it did before', async () => {
    // Small fetches, so that there are many batches; one would know all of it anyway.
    const system = await makeScoringSystem({
      KAFKA_MAX_BYTES_PER_PARTITION: '16384',
      TOPIC_PARTITIONS: '1',
    })
    const all = scanEvents(2_000, 800)
    for (let i = 0; i < all.length; i += 250) await system.produce(all.slice(i, i + 250))
    await scoreLive(system)
    const { topic, poison } = await scoreAgain(system, 'again')
    expect(poison).toEqual([])
    const { findings } = await compare(system, topic)
    expect(findings).toEqual([])
  })

  it('gives what the live stage gave over restarts, and touches nothing of it', async () => {
    // Small fetches, so that the live run is cut into many batches.
    const system = await makeScoringSystem({
      KAFKA_MAX_BYTES_PER_PARTITION: '16384',
      SCORING_MAX_ENTITIES: '9',
    })
    for (const part of [200, 1, 300]) {
      await system.produce(scanEvents(part, 23))
      await system.produce([Buffer.from('junk')])
      await scoreLive(system)
    }
    const before = { ends: await ends(system), offsets: await committed(system, groupOf(system)) }
    const others = new Set(await readingGroups(system))
    const { topic, done, poison } = await scoreAgain(system, 'again')
    expect(done).toMatchObject({ events: 504, threats: 501 })
    expect(poison).toEqual(['NS_UNDECODABLE', 'NS_UNDECODABLE', 'NS_UNDECODABLE'])
    expect(await ends(system)).toEqual(before.ends)
    expect(await committed(system, groupOf(system))).toEqual(before.offsets)
    for (const group of (await readingGroups(system)).filter(each => !others.has(each))) {
      const offsets = (await committed(system, group)).flatMap(each => each.partitions)
      expect(offsets.filter(({ offset }) => offset !== '-1')).toEqual([])
    }
    const { findings, summary } = await compare(system, topic)
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ a: 501, b: 501, same: 501 })
  }, 120_000)

  it('gives the threats of a window, and has state from the events before it', async () => {
    const system = await makeScoringSystem()
    await system.produce(scanEvents(300, 7))
    await scoreLive(system)
    const window = { from: ARRIVED + 100_000, to: ARRIVED + 200_000 }
    const { topic, done } = await scoreAgain(system, 'window', { window })
    expect(done).toMatchObject({ events: 300, threats: 100 })
    expect(await compare(system, topic, window)).toMatchObject({ findings: [], summary: { same: 100 } })
    expect((await compare(system, topic)).summary).toMatchObject({ vanish: 200, same: 100 })
  }, 120_000)

  it('writes into a topic that holds nothing, and all or nothing', async () => {
    const system = await makeScoringSystem()
    await system.produce(scanEvents(50, 5))
    // A run that was killed: its transaction is still open when the next one begins.
    const { topic } = await scoreAgain(system, 'killed', { window: { from: 0, to: 1 } })
    const killed = await openTopicWriter(system.kafka, topic)
    await killed.write([{ key: 'k', value: Buffer.alloc(1_000_000), partition: 0, timestamp: Date.now() }])
    await killed.write([])
    expect((await scoreAgain(system, 'killed')).done).toMatchObject({ threats: 50 })
    await expect(killed.commit()).rejects.toMatchObject({ code: 'NS_TRANSACTION_FAILED' })
    await killed.close()
    expect(await readAll(system.kafka, topic)).toHaveLength(50)
    await expect(scoreAgain(system, 'killed')).rejects.toMatchObject({ code: 'NS_USAGE' })
    expect(await readAll(system.kafka, topic)).toHaveLength(50)

    const stop = new AbortController()
    const aborted = await scoreAgain(system, 'aborted', {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    })
    expect(aborted.done).toBeUndefined()
    expect(await readAll(system.kafka, aborted.topic)).toEqual([])
  }, 120_000)
})

describe('the difference of two topics', () => {
  it('names what was tampered with', async () => {
    const system = await makeScoringSystem()
    await system.produce(scanEvents(100, 8))
    await scoreLive(system)
    const { kafka, codecs, topics, producer } = system
    const threats = await readAll(kafka, topics.threats.name)
    const place = (wanted: InputRecord | undefined) => ({
      partition: wanted?.partition,
      threat: expect.objectContaining({ id: idOf.get(wanted) }),
    })
    const idOf = new Map<InputRecord | undefined, string>()
    for (const record of threats) {
      idOf.set(record, (await codecs.threat.decode(record.value ?? Buffer.alloc(0))).id)
    }
    const [lost, doubled, changed, late, next] = threats.filter(
      each => each.partition === threats[0]?.partition,
    )
    const again = ({ key, value, partition, timestamp }: InputRecord) => ({
      key,
      value,
      partition,
      timestamp,
    })
    const raised = async (record: InputRecord) => ({
      ...again(record),
      value: codecs.threat.encode({
        ...(await codecs.threat.decode(record.value ?? Buffer.alloc(0))),
        score: 1,
      }),
    })
    const tampered: ReturnType<typeof again>[] = []
    for (const record of threats) {
      if (record === lost || record === late) continue
      tampered.push(record === changed ? await raised(record) : again(record))
      if (record === doubled) tampered.push(again(record))
      if (record === next && late !== undefined) tampered.push(again(late))
    }
    const { topic } = await scoreAgain(system, 'tampered', { window: { from: 0, to: 1 } })
    await producer.send(topic, tampered)
    await producer.send(topic, [{ key: 'k', value: Buffer.from('junk'), partition: 0, timestamp: ARRIVED }])
    const { findings, summary } = await compare(system, topic)
    const expected = [
      { kind: 'vanish', ...place(lost) },
      { kind: 'duplicate', side: 'b', ...place(doubled) },
      { kind: 'order', side: 'b', ...place(late) },
      { kind: 'change', fields: ['score'], partition: changed?.partition },
      { kind: 'unreadable', side: 'b', partition: 0, reason: expect.stringContaining('framed') },
    ]
    for (const one of expected) expect(findings).toContainEqual(expect.objectContaining(one))
    expect(findings).toHaveLength(expected.length)
    expect(summary).toMatchObject({ a: 100, b: 100, same: 98 })
  }, 120_000)

  it('refuses topics that cannot be compared', async () => {
    const system = await makeScoringSystem()
    await expect(compare(system, system.topics.deadLetters.name)).rejects.toMatchObject({ code: 'NS_USAGE' })
    await expect(compare(system, 'no-such-topic')).rejects.toMatchObject({ code: 'NS_TOPIC_MISSING' })
  })
})

describe('the commands', () => {
  it('score again and tell by their exit code whether something differs', async () => {
    const system = await makeScoringSystem()
    await system.produce(scanEvents(40, 4))
    await scoreLive(system)
    const { prefix } = system.config.topics
    const cli = async (args: readonly string[]) => {
      const process = runCli(args, { TOPIC_PREFIX: prefix, TOPIC_PARTITIONS: '2', SCORING_THRESHOLD: '0' })
      const { code } = await process.exited
      return { code, lines: process.stdout().trim().split('\n'), stderr: process.stderr() }
    }
    const [again, some] = await Promise.all([
      cli(['score', '--into', 'again', '--model', 'models/baseline']),
      cli(['score', '--into', 'some', '--from', new Date(ARRIVED + 5_000).toISOString()]),
    ])
    expect([again.code, again.lines.map(line => JSON.parse(line) as unknown)]).toEqual([
      0,
      [expect.objectContaining({ topic: `${prefix}again`, events: 40, threats: 40, poison: {} })],
    ])
    expect(JSON.parse(some.lines[0] ?? '')).toMatchObject({ threats: 35 })
    const [equal, different, refused] = await Promise.all([
      cli(['diff', 'threats', 'again']),
      cli(['diff', 'threats', 'some', '--json', '--limit', '2']),
      cli(['score', '--into', 'threats']),
    ])
    expect([equal.code, different.code, refused.code]).toEqual([0, 1, 2])
    expect(different.lines.map(line => (JSON.parse(line) as Finding).kind)).toEqual([
      'vanish',
      'vanish',
      'summary',
    ])
    expect(refused.stderr).toContain('is a topic of the pipeline')
  }, 120_000)
})
