import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Batch } from 'kafkajs'
import { contentBytes, planSends, toInputRecords } from './records.ts'

const record = (topic: string, size: number, partition?: number) => ({
  topic,
  key: 'k',
  value: Buffer.alloc(size, 0x61),
  timestamp: 1_600_000_000_000,
  ...(partition === undefined ? {} : { partition }),
})

describe('planSends', () => {
  it('keeps every send of a topic under the limit, loses nothing and keeps the order', () => {
    const sizes = fc.array(fc.record({ topic: fc.constantFrom('a', 'b', 'c'), size: fc.nat(400) }))
    fc.assert(
      fc.property(sizes, fc.integer({ min: 500, max: 2_000 }), (wanted, limit) => {
        const records = wanted.map(({ topic, size }) => record(topic, size))
        const sends = planSends(records, limit)
        for (const topic of ['a', 'b', 'c']) {
          const sent = sends.flatMap(send => send.filter(each => each.topic === topic))
          for (const { messages } of sent) {
            const bytes = messages.reduce(
              (sum, { key, value }) => sum + contentBytes({ key: key ?? null, value: value as Buffer }),
              0,
            )
            expect(bytes).toBeLessThanOrEqual(limit)
          }
          expect(sent.flatMap(each => each.messages.map(message => message.value))).toEqual(
            records.filter(each => each.topic === topic).map(each => each.value),
          )
        }
        for (const send of sends) expect(new Set(send.map(each => each.topic)).size).toBe(send.length)
      }),
    )
  })

  it('puts topics together while each is under the limit', () => {
    const records = [record('a', 400), record('b', 400), record('a', 400), record('a', 400)]
    const sends = planSends(records, 1_000)
    expect(sends.map(send => send.map(each => [each.topic, each.messages.length]))).toEqual([
      [
        ['a', 2],
        ['b', 1],
      ],
      [['a', 1]],
    ])
  })

  it('sends a record that is over the limit by itself alone, and nothing when there is nothing', () => {
    expect(planSends([record('a', 10), record('a', 5_000), record('a', 10)], 1_000)).toHaveLength(3)
    expect(planSends([], 1_000)).toEqual([])
  })

  it('hands on key, null and empty values, partition, timestamp and repeated headers', () => {
    const headers = { one: 'x', many: [Buffer.from('a'), 'b'] }
    const [send] = planSends(
      [
        { topic: 't', partition: 3, key: null, value: null, timestamp: 5, headers },
        { topic: 't', key: '', value: Buffer.alloc(0) },
      ],
      1_000,
    )
    expect(send?.[0]?.messages).toEqual([
      { key: null, value: null, partition: 3, timestamp: '5', headers },
      { key: '', value: Buffer.alloc(0) },
    ])
  })
})

describe('toInputRecords', () => {
  const message = (headers: Record<string, unknown>) => ({
    key: null,
    value: Buffer.alloc(0),
    timestamp: '1600000000000',
    attributes: 0,
    offset: '42',
    headers,
  })
  const read = (headers: Record<string, unknown>) =>
    toInputRecords({ topic: 't', partition: 1, messages: [message(headers)] } as unknown as Batch)[0]

  it('takes offsets and times as numbers and keeps null and empty apart', () => {
    const { topic, partition, offset, timestamp, key, value, headers } = read({}) ?? {}
    expect({ topic, partition, offset, timestamp, key, value, headers }).toEqual({
      topic: 't',
      partition: 1,
      offset: 42,
      timestamp: 1_600_000_000_000,
      key: null,
      value: Buffer.alloc(0),
      headers: {},
    })
  })

  it('keeps headers as bytes, whatever they are called', () => {
    // What kafkajs makes of a header called `constructor`, of a null one, and of one that occurs twice.
    const read1 = read({
      constructor: [Object, Buffer.from('c')],
      none: null,
      two: [Buffer.from('1'), Buffer.from('2')],
    })
    expect(Object.entries(read1?.headers ?? {})).toEqual([
      ['constructor', Buffer.from('c')],
      ['none', Buffer.alloc(0)],
      ['two', [Buffer.from('1'), Buffer.from('2')]],
    ])
  })
})
