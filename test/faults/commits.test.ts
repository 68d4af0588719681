import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPositions } from '../../connectors/kafka/positions.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { openProducer, runTransaction } from '../../connectors/kafka/transaction.ts'
import { kafkaOf } from '../support/counting.ts'
import { makeTopic } from '../support/stages.ts'
import { unique } from '../support/until.ts'
import { type Broker, startBroker } from './broker.ts'

const PRODUCERS = 16
const ROUNDS = 3

describe('a broker that is killed when it has just said that a transaction is committed', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker.close())

  it('has committed it: records and offsets, whatever becomes of the next transaction', async () => {
    const kafka = kafkaOf({ KAFKA_BROKERS: broker.direct })
    const topics = {
      input: await makeTopic(kafka, 'in', { partitions: PRODUCERS }),
      outputs: [
        await makeTopic(kafka, 'out', { partitions: PRODUCERS }),
        await makeTopic(kafka, 'out', { partitions: PRODUCERS }),
      ],
    }
    const group = unique('group')
    const open = (partition: number) =>
      openProducer(kafka, `${group}-${partition}`, {
        topics: topics.outputs.map(topic => ({ topic, partition })),
        group,
      })
    const sends = (partition: number, value: string) => [
      topics.outputs.map(topic => ({ topic, messages: [{ key: null, value, partition }] })),
    ]
    /** Numbers of the transactions that the broker said were committed, by partition. */
    const told = Array.from({ length: PRODUCERS }, (): string[] => [])
    const commitOne = async (partition: number, round: number) => {
      const producer = await open(partition)
      return async () => {
        try {
          await runTransaction(producer, {
            sends: sends(partition, String(round)),
            compression: 0,
            group,
            offsets: [{ topic: topics.input, partition, next: round }],
          })
          told[partition]?.push(String(round))
          return true
        } catch {
          // The broker was killed before it answered; what it has done then is for it to say.
          return false
        } finally {
          await producer.disconnect()
        }
      }
    }
    const undoOne = async (partition: number) => {
      const producer = await open(partition)
      const transaction = await producer.transaction()
      for (const topicMessages of sends(partition, 'undone')) await transaction.sendBatch({ topicMessages })
      await transaction.abort()
      await producer.disconnect()
    }

    const partitions = [...told.keys()]
    for (let round = 1; round <= ROUNDS; round++) {
      const commits = await Promise.all(partitions.map(partition => commitOne(partition, round)))
      const done = commits.map(commit => commit())
      await Promise.any(done)
      await broker.kill()
      await Promise.all(done)
      await broker.start()
      await Promise.all(partitions.map(undoOne))
    }

    const positions = createPositions(kafka)
    for (const output of topics.outputs) {
      const found = Array.from({ length: PRODUCERS }, (): string[] => [])
      await readTopic({
        kafka,
        topic: output,
        onRecords: records => {
          for (const { partition, value } of records) found[partition]?.push(String(value))
        },
      })
      for (const partition of partitions) {
        const committed = await positions.committed(group, topics.input, partition)
        expect(found[partition]).toEqual(expect.arrayContaining(told[partition] ?? []))
        expect(found[partition]?.at(-1)).toBe(committed === undefined ? undefined : String(committed))
      }
    }
    await positions.close()
    expect(told.flat().length).toBeGreaterThan(0)
  }, 240_000)
})
