import { topicOffsets } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { planBatch } from '../../connectors/kafka/plan.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord, PartitionTask, Stage } from '../../connectors/kafka/stage.ts'
import type { Oracle } from './oracle.ts'
import { createSequences, createTally, fingerprint, sequenceProblems } from './tally.ts'

/** What a run left behind, and everything in it that is not as an undisturbed run would have left it. */
export interface Report {
  readonly raw: number
  readonly events: number
  readonly threats: number
  readonly alerts: number
  readonly deadLetters: number
  readonly problems: readonly string[]
}

interface CheckDeps {
  readonly kafka: Kafka
  readonly oracle: Oracle
}

/** Reads a topic to its end; resolves with the number of its records. */
const readEach = async (
  kafka: Kafka,
  topic: string,
  take: (record: InputRecord) => Promise<void> | void,
): Promise<number> => {
  let count = 0
  await readTopic({
    kafka,
    topic,
    onRecords: async records => {
      for (const record of records) await take(record)
      count += records.length
    },
  })
  return count
}

const header = (record: InputRecord, name: string): string => String(record.headers[name] ?? '')

/** Whose dead letter a record is, and of which record. */
const letterOf = (record: InputRecord) => ({
  stage: header(record, 'ns-stage'),
  partition: Number(header(record, 'ns-partition')),
  offset: Number(header(record, 'ns-offset')),
})

/** Where the raw record of an event is: its id is `<topic>-<partition>-<offset>`, or that and `-n`. */
const originOf = (rawTopic: string, id: string) => {
  const [partition, offset] = id.slice(rawTopic.length + 1).split('-')
  return { partition: Number(partition), offset: Number(offset) }
}

/** One task a partition, as if nothing had ever happened to the stage. */
const undisturbed = (stage: Stage) => {
  const tasks = new Map<number, PartitionTask>()
  return async (records: readonly InputRecord[], limit: number) => {
    const partition = records[0]?.partition ?? 0
    const task = tasks.get(partition) ?? stage.createTask(partition)
    tasks.set(partition, task)
    const result = await task.process(records)
    result.committed()
    return planBatch(result, stage, partition, limit)
  }
}

/**
 * Whether every raw record has become exactly the events or the dead letter that it should, each once, and the events of
 * one raw partition stand in its order.
 */
const checkIngest = async ({ kafka, oracle }: CheckDeps) => {
  const { topics, ingest } = oracle
  const tally = createTally((await topicOffsets(kafka, topics.rawEvents.name)).map(each => each.high))
  const expect = undisturbed(ingest)
  const raw = await readEach(kafka, topics.rawEvents.name, async record => {
    for (const output of await expect([record], kafka.config.maxRecordBytes))
      tally.expected(record.partition, record.offset, fingerprint(output))
  })
  const disorder = new Set<string>()
  const last = new Map<string, number>()
  const events = await readEach(kafka, topics.events.name, async record => {
    const { id } = await oracle.readEvent(record)
    const { partition, offset } = originOf(topics.rawEvents.name, id)
    tally.found(partition, offset, fingerprint(record))
    const way = `events of ${partition} in ${record.partition}`
    if (offset < (last.get(way) ?? 0)) disorder.add(`${way} are out of order`)
    last.set(way, offset)
  })
  const deadLetters = await readEach(kafka, topics.deadLetters.name, record => {
    const { stage, partition, offset } = letterOf(record)
    if (stage === ingest.name) tally.found(partition, offset, fingerprint(record))
  })
  return { raw, events, deadLetters, problems: [...tally.problems(), ...disorder] }
}

/**
 * The latest value of each key in each partition of a changelog, in log order within each kind of key: that is the order
 * in which a bounded number of them is forgotten.
 */
const createStates = (kindOf: (key: string) => string) => {
  const states = new Map<string, Buffer>()
  return {
    take: (partition: number, key: Buffer | string | null, value: Buffer | null) => {
      const name = `${partition} ${kindOf(String(key))} ${String(key)}`
      states.delete(name)
      if (value !== null) states.set(name, value)
    },
    of: (partition: number): string => {
      const some = [...states].filter(([name]) => name.startsWith(`${partition} `))
      const kinds = Map.groupBy(some, ([name]) => name.split(' ')[1] ?? '')
      const ordered = [...kinds.keys()].toSorted().flatMap(kind => kinds.get(kind) ?? [])
      return ordered.map(([name, value]) => `${name} ${value.toString('base64')}`).join()
    },
  }
}

/** A stage with state: what it writes, and what kinds of keys its changelog has. */
interface Stateful {
  readonly stage: Stage
  /** Full names; its records in the first form, and in a further one. */
  readonly outputs: readonly [string, string]
  readonly kindOf: (key: string) => string
}

/**
 * Whether what a stage with state has written is what one pass over the same input comes to: the same records in the same
 * order in each partition of each topic, dead letters included; and whether the state left behind is the same. Resolves
 * with the records of the first topic, and the problems.
 */
const checkStateful = async ({ kafka, oracle }: CheckDeps, { stage, outputs, kindOf }: Stateful) => {
  const { deadLetters } = oracle.topics
  const changelog = stage.changelog ?? ''
  const [wanted, found] = [createSequences(), createSequences()]
  const [wantedStates, foundStates] = [createStates(kindOf), createStates(kindOf)]
  const expect = undisturbed(stage)
  await readTopic({
    kafka,
    topic: stage.input,
    onRecords: async records => {
      const partition = records[0]?.partition ?? 0
      for (const output of await expect(records, kafka.config.maxRecordBytes)) {
        if (output.topic === changelog) wantedStates.take(partition, output.key, output.value)
        else wanted.add(output, partition)
      }
    },
  })
  const add = (record: InputRecord) => found.add(record, record.partition)
  const count = await readEach(kafka, outputs[0], add)
  await readEach(kafka, outputs[1], add)
  await readEach(kafka, deadLetters.name, record => {
    const { stage: name, partition } = letterOf(record)
    if (name === stage.name) found.add(record, partition)
  })
  await readEach(kafka, changelog, ({ partition, key, value }) => foundStates.take(partition, key, value))
  const states = (await topicOffsets(kafka, changelog)).flatMap(({ partition }) => {
    const same = foundStates.of(partition) === wantedStates.of(partition)
    return same ? [] : [`${changelog}-${partition} comes to another state`]
  })
  return { count, problems: [...sequenceProblems(wanted, found), ...states] }
}

/** Checks all that a run left behind. */
export const checkAll = async (deps: CheckDeps): Promise<Report> => {
  const { topics, scoring, alerting } = deps.oracle
  const { raw, events, deadLetters, problems } = await checkIngest(deps)
  const threats = await checkStateful(deps, {
    stage: scoring,
    outputs: [topics.threats.name, topics.threatsOcsf.name],
    kindOf: key => (key.startsWith('partition:') ? 'partition' : 'entity'),
  })
  const alerts = await checkStateful(deps, {
    stage: alerting,
    outputs: [topics.alerts.name, topics.alertsOcsf.name],
    kindOf: key => key.slice(0, key.indexOf(':')),
  })
  return {
    raw,
    events,
    threats: threats.count,
    alerts: alerts.count,
    deadLetters,
    problems: [...problems, ...threats.problems, ...alerts.problems],
  }
}
