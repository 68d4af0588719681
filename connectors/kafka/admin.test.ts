import { describe, expect, it } from '@jest/globals'
import type { Admin } from 'kafkajs'
import { ensureTopics } from './admin.ts'
import type { Kafka } from './client.ts'

const topic = {
  name: 't',
  key: '',
  partitions: 1,
  replicationFactor: 1,
  config: {},
  writtenBy: '',
  readBy: '',
}

const answer = (type: string) =>
  Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, retriable: true })

/**
 * A cluster of which one broker has not heard of a new topic at first; it answers so, one time after another. The leader
 * refuses so many requests before it knows that it is one.
 */
const slowCluster = (answers: readonly string[], refusals = 0) => {
  let left = refusals
  const asked: string[] = []
  const admin = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    listTopics: async () => [],
    createTopics: async () => true,
    fetchTopicMetadata: async () => {
      const type = answers[asked.length]
      asked.push(type ?? 'there')
      if (type !== undefined) throw answer(type)
      return { topics: [] }
    },
    fetchTopicOffsets: async () => {
      if (left-- > 0) throw answer('NOT_LEADER_FOR_PARTITION')
      return []
    },
  } as unknown as Admin
  return { kafka: { admin: () => admin } as Kafka, asked }
}

describe('ensureTopics', () => {
  it('waits for a new topic that not every broker knows, or that has no leader yet', async () => {
    const { kafka, asked } = slowCluster(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])
    expect(await ensureTopics(kafka, [topic])).toMatchObject({ created: ['t'] })
    expect(asked).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'there'])
  })

  it('waits for a leader that is named before it knows that it leads', async () => {
    const { kafka, asked } = slowCluster([], 2)
    expect(await ensureTopics(kafka, [topic])).toMatchObject({ created: ['t'] })
    expect(asked).toEqual(['there', 'there', 'there'])
  })

  it('does not wait for what waiting does not change', async () => {
    const { kafka, asked } = slowCluster(['TOPIC_AUTHORIZATION_FAILED'])
    await expect(ensureTopics(kafka, [topic])).rejects.toMatchObject({ code: 'NS_KAFKA_REFUSED' })
    expect(asked).toHaveLength(1)
  })
})
