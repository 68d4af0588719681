import { describe, expect, it } from '@jest/globals'
import { batch, protocolError, records, setUpPartition } from '../../test/support/partition.ts'

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

  it('tells committed transactions from fenced ones and from others that failed', async () => {
    const { broker, partition, take, nextStart, lines } = setUpPartition()
    await take()
    for (const type of ['INVALID_TXN_STATE', 'INVALID_PRODUCER_EPOCH']) {
      const again = nextStart()
      broker.interfere = () => {
        throw protocolError(type)
      }
      await partition.accept(batch(0, 1))
      broker.interfere = () => undefined
      await again
    }
    await partition.accept(batch(0, 1))
    expect((await lines('netsentinel_transactions_total')).toSorted()).toEqual([
      'netsentinel_transactions_total{stage="s",outcome="committed"} 1',
      'netsentinel_transactions_total{stage="s",outcome="failed"} 1',
      'netsentinel_transactions_total{stage="s",outcome="fenced"} 1',
    ])
  })

  it('observes the phases of a batch that is committed', async () => {
    const { partition, take, lines } = setUpPartition()
    await take()
    await partition.accept(batch(0, 1))
    await partition.accept(batch(1, 1))
    const counts = await lines('netsentinel_batch_seconds_count')
    expect(counts.toSorted()).toEqual(
      ['commit', 'process', 'wait'].map(
        phase => `netsentinel_batch_seconds_count{stage="s",phase="${phase}"} 2`,
      ),
    )
  })

  it('counts a restore with its records', async () => {
    const { broker, partition, take, nextStart, lines } = setUpPartition({ changelog: true })
    broker.ranges.set('log', { low: 0, high: 9 })
    broker.committed.set('in', 4)
    await take()
    const started = nextStart()
    await partition.restored(records(0, 5, 'log'), 5)
    await partition.restored(records(5, 2, 'log'), 9)
    await started
    expect(await lines('netsentinel_restore')).toEqual(
      expect.arrayContaining([
        'netsentinel_restores_total{stage="s"} 1',
        'netsentinel_restored_records_total{stage="s"} 7',
        'netsentinel_restore_seconds_count{stage="s"} 1',
      ]),
    )
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
