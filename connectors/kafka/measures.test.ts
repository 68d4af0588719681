import { describe, expect, it } from '@jest/globals'
import { batch, protocolError, setUpPartition } from '../../test/support/partition.ts'

describe('what is measured of a stage', () => {
  it('counts dead letters when they are committed, whoever made them', async () => {
    const { broker, partition, take, nextStart, result, lines } = setUpPartition()
    result(({ outputs }) => ({
      outputs: outputs.map((output, i) => (i === 1 ? output : { ...output, poison: 'NS_NOT_JSON' })),
    }))
    await take()
    broker.interfere = () => {
      throw protocolError('INVALID_TXN_STATE')
    }
    const again = nextStart()
    await partition.accept(batch(0, 3))
    expect(await lines('netsentinel_dead_letters_total')).toEqual([])
    broker.interfere = () => undefined
    await again
    await partition.accept(batch(0, 3))
    expect(await lines('netsentinel_dead_letters_total')).toEqual([
      'netsentinel_dead_letters_total{stage="s",code="NS_NOT_JSON"} 2',
    ])
  })

  it('observes how old a record is when it is committed, of at most 16 a transaction and topic', async () => {
    const { partition, take, result, lines } = setUpPartition({ changelog: true })
    const old = Date.now() - 20_000
    result(({ outputs }) => ({
      outputs: outputs.flatMap(each => [
        { ...each, topic: 'out', timestamp: old },
        { ...each, topic: 'future', timestamp: Date.now() + 60_000 },
      ]),
      changes: [{ key: 'k', value: Buffer.from('v') }],
    }))
    await take()
    await partition.accept(batch(0, 3))
    await partition.accept(batch(3, 1_000))
    const found = await lines('netsentinel_end_to_end_seconds')
    expect(found).toContain('netsentinel_end_to_end_seconds_count{stage="s",topic="out"} 19')
    expect(found).toContain('netsentinel_end_to_end_seconds_bucket{le="10",stage="s",topic="out"} 0')
    expect(found).toContain('netsentinel_end_to_end_seconds_bucket{le="30",stage="s",topic="out"} 19')
    expect(found).toContain('netsentinel_end_to_end_seconds_bucket{le="0.01",stage="s",topic="future"} 19')
    expect(found.filter(line => line.includes('topic="log"'))).toEqual([])
  })
})
