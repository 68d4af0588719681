import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import kafkajs, { type Message, type PartitionMetadata } from 'kafkajs'
import { createPartitioner, murmur2 } from './partitioner.ts'

const partitionsOf = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 })) as PartitionMetadata[]

describe('murmur2', () => {
  // Apache Kafka, UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('of %s is what the Java client makes of it', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })
})

describe('the partitioner', () => {
  const choose = (message: Partial<Message>, count: number) =>
    createPartitioner()({
      topic: 't',
      partitionMetadata: partitionsOf(count),
      message: { value: null, ...message },
    })

  it('chooses what kafkajs chooses, for every key', () => {
    const theirs = kafkajs.Partitioners.DefaultPartitioner()
    const key = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.uint8Array().map(bytes => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 100 }), (each, count) => {
        const message = { key: each, value: null }
        const expected = theirs({ topic: 't', partitionMetadata: partitionsOf(count), message })
        expect(choose(message, count)).toBe(expected)
      }),
    )
  })

  it('takes a partition that is given, and takes turns without a key', () => {
    expect(choose({ key: 'k', partition: 7 }, 8)).toBe(7)
    expect(choose({ key: 'k', partition: 0 }, 8)).toBe(0)
    const partitioner = createPartitioner()
    const turns = [1, 2, 3, 4].map(() =>
      partitioner({ topic: 't', partitionMetadata: partitionsOf(4), message: { key: null, value: null } }),
    )
    expect(new Set(turns)).toEqual(new Set([0, 1, 2, 3]))
  })
})
