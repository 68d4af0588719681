import { createRequire } from 'node:module'
import { describe, expect, it } from '@jest/globals'

const require = createRequire(import.meta.url)

interface Asked {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number }[]
}

const { prototype } = require('kafkajs/src/consumer/consumerGroup.js') as {
  readonly prototype: { fetch(nodeId: string): Promise<unknown> }
}

/** What a member of a group that has these partitions asks of a broker, each time it fetches. */
const fetches = async (
  assigned: Readonly<Record<string, readonly number[]>>,
  times: number,
): Promise<Asked[][]> => {
  const asked: Asked[][] = []
  const fetch = async ({ topics }: { topics: Asked[] }) => {
    asked.push(topics)
    return { responses: [] }
  }
  const topics = Object.entries(assigned).map(([topic, partitions]) => ({ topic, partitions }))
  const offsets = Object.fromEntries(
    topics.map(({ topic, partitions }) => [topic, partitions.map(() => '0')]),
  )
  const member = Object.assign(Object.create(prototype) as typeof prototype, {
    cluster: { refreshMetadataIfNecessary: async () => undefined, findBroker: async () => ({ fetch }) },
    subscriptionState: { assigned: () => topics },
    offsetManager: { committedOffsets: () => offsets, nextOffset: () => '0' },
    filterPartitionsByNode: () => topics,
    checkForStaleAssignment: () => undefined,
    seekOffsets: async () => undefined,
    getActiveTopicPartitions: () =>
      Object.fromEntries(topics.map(({ topic, partitions }) => [topic, new Set(partitions)])),
  })
  for (let i = 0; i < times; i++) await member.fetch('1')
  return asked
}

describe('a fetch', () => {
  it('begins with each partition in turn: a broker gives the last ones nothing once its answer is full', async () => {
    const asked = await fetches({ t: [0, 1, 2] }, 3)
    const orders = asked.map(([topic]) => topic?.partitions.map(({ partition }) => partition))
    expect(new Set(orders.map(order => order?.[0]))).toEqual(new Set([0, 1, 2]))
    for (const order of orders) expect(new Set(order)).toEqual(new Set([0, 1, 2]))
  })

  it('begins with each topic in turn', async () => {
    const asked = await fetches({ a: [0], b: [0] }, 2)
    expect(new Set(asked.map(([first]) => first?.topic))).toEqual(new Set(['a', 'b']))
    expect(asked.map(topics => topics.length)).toEqual([2, 2])
  })

  it('asks for nothing when it has nothing', async () => {
    await expect(fetches({ t: [] }, 1)).resolves.toEqual([])
  })
})
