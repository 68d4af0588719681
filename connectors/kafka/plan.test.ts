import { describe, expect, it } from '@jest/globals'
import type { SentinelError } from '../../runtime/errors.ts'
import { planBatch } from './plan.ts'
import type { BatchResult, InputRecord, OutputRecord, PartitionTask, Stage } from './stage.ts'

const LIMIT = 1_000

const input = (offset: number): InputRecord => ({
  topic: 'in',
  partition: 3,
  offset,
  timestamp: 5,
  key: null,
  value: Buffer.from('x'),
  headers: {},
})

const output = (size: number, cause?: InputRecord, topic = 'out'): OutputRecord => ({
  topic,
  key: null,
  value: Buffer.alloc(size),
  timestamp: 5,
  ...(cause === undefined ? {} : { cause }),
})

const stage = (rest: Partial<Stage> = {}): Stage => ({
  name: 's',
  group: 'g',
  input: 'in',
  outputs: [],
  createTask: (): PartitionTask => {
    throw new Error('not used')
  },
  ...rest,
})

const result = (rest: Partial<BatchResult>): BatchResult => ({
  outputs: [],
  changes: [],
  committed: () => undefined,
  ...rest,
})

const letters = (record: InputRecord, error: SentinelError): OutputRecord => ({
  ...output(1, record, 'dead-letters'),
  key: `${record.offset} ${error.code} ${error.message}`,
})

describe('planBatch', () => {
  it('writes changes to the changelog, on the partition of the input, after the outputs', () => {
    const changes = [
      { key: 'a', value: Buffer.from('1') },
      { key: 'b', value: null },
    ]
    const plan = planBatch(result({ outputs: [output(1)], changes }), stage({ changelog: 'log' }), 3, LIMIT)
    expect(
      plan.map(({ topic, partition, key, value }) => [topic, partition, key, value?.toString()]),
    ).toEqual([
      ['out', undefined, null, '\0'],
      ['log', 3, 'a', '1'],
      ['log', 3, 'b', undefined],
    ])
  })

  it('replaces all outputs of an input with an oversize one by one dead letter, in its place', () => {
    const [a, b, c] = [input(1), input(2), input(3)]
    const outputs = [output(5, a), output(5, b), output(LIMIT + 1, b, 'wide'), output(LIMIT, c)]
    const plan = planBatch(result({ outputs }), stage({ tooLarge: letters }), 3, LIMIT)
    expect(plan.map(each => [each.topic, each.cause?.offset])).toEqual([
      ['out', 1],
      ['dead-letters', 2],
      ['out', 3],
    ])
    expect(plan[1]?.key).toBe('2 NS_TOO_LARGE a record for wide has 1001 bytes, the limit is 1000')
  })

  it('leaves room for what a dead letter says beside its record, which may reach the limit itself', () => {
    const letter = (size: number): OutputRecord => ({ ...output(size), poison: 'NS_NOT_JSON' })
    const plan = (record: OutputRecord) => planBatch(result({ outputs: [record] }), stage(), 3, LIMIT)
    expect(plan(letter(LIMIT + 2_500))).toHaveLength(1)
    expect(() => plan(letter(LIMIT + 5_000))).toThrow('the limit is 1000')
    const tooLarge = () => letter(LIMIT + 2_500)
    const large = result({ outputs: [output(LIMIT + 1, input(1))] })
    expect(planBatch(large, stage({ tooLarge }), 3, LIMIT)).toHaveLength(1)
  })

  it('asks for a dead letter without the bytes of its input when one with them is too large', () => {
    const cause = { ...input(7), key: Buffer.from('k'), value: Buffer.alloc(LIMIT), headers: { h: 'x' } }
    const copy = (record: InputRecord, error: SentinelError): OutputRecord => ({
      ...output(0, record, 'dead-letters'),
      key: record.key,
      value: record.value,
      headers: { ...record.headers, code: error.code, withheld: String(record.withheld?.code) },
    })
    const outputs = [output(LIMIT + 1, cause), output(1, input(8))]
    const [letter, other] = planBatch(result({ outputs }), stage({ tooLarge: copy }), 3, LIMIT)
    expect([letter?.key, letter?.value]).toEqual([null, null])
    expect(letter?.headers).toEqual({ code: 'NS_TOO_LARGE', withheld: 'NS_TOO_LARGE' })
    expect(other?.topic).toBe('out')
  })

  it('refuses what it may not write: no dead letter to become, one as large, a change, no changelog', () => {
    const large = output(LIMIT + 1, input(1))
    const code = (run: () => unknown) => {
      try {
        run()
      } catch (error) {
        return (error as SentinelError).code
      }
      return undefined
    }
    expect(code(() => planBatch(result({ outputs: [large] }), stage(), 3, LIMIT))).toBe('NS_TOO_LARGE')
    expect(
      code(() => planBatch(result({ outputs: [output(LIMIT + 1)] }), stage({ tooLarge: letters }), 3, LIMIT)),
    ).toBe('NS_TOO_LARGE')
    expect(
      code(() => planBatch(result({ outputs: [large] }), stage({ tooLarge: () => large }), 3, LIMIT)),
    ).toBe('NS_TOO_LARGE')
    const changes = [{ key: 'k', value: Buffer.alloc(LIMIT) }]
    expect(code(() => planBatch(result({ changes }), stage({ changelog: 'l' }), 3, LIMIT))).toBe(
      'NS_TOO_LARGE',
    )
    expect(code(() => planBatch(result({ changes }), stage(), 3, LIMIT))).toBe('NS_INTERNAL')
  })
})
