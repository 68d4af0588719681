import { describe, expect, it } from '@jest/globals'
import { batch, protocolError, records, setUpPartition } from '../../test/support/partition.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

/** A partition with a side input that holds three records. */
const withSide = ({ changelog = false } = {}) => {
  const set = setUpPartition({ changelog, side: true })
  set.broker.ranges.set('side', { low: 0, high: 3 })
  return set
}

describe('a partition with a side input', () => {
  it('reads it up to the end that it had, then the main input as well', async () => {
    const { broker, flow, partition, take } = withSide()
    await take()
    await turn()
    expect(flow).toEqual(['start side 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    await expect(partition.accept(batch(0, 2, 'side'))).resolves.toBe(true)
    expect(flow).toEqual(['start side 0'])
    await expect(partition.accept(batch(2, 5, 'side'))).resolves.toBe(true)
    expect(flow).toEqual(['start side 0', 'start in 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
    await expect(partition.accept(batch(7, 1, 'side'))).resolves.toBe(true)
    expect(flow).toHaveLength(2)
    expect(broker.output).toEqual(['0', '1', '2', '3', '4', '5', '6', '0', '7'])
    expect(Object.fromEntries(broker.committed)).toEqual({ side: 8, in: 1 })
  })

  it('does not wait where it is empty, or was read up to its end', async () => {
    const empty = setUpPartition({ side: true })
    await empty.take()
    await turn()
    expect(empty.flow).toEqual(['start side 0', 'start in 0'])
    const read = withSide()
    read.broker.committed.set('side', 3).set('in', 4)
    await read.take()
    await turn()
    expect(read.flow).toEqual(['start side 3', 'start in 4'])
  })

  it('goes on when the rest of it holds nothing to read', async () => {
    const { broker, flow, partition, take } = withSide()
    await take()
    await partition.accept(batch(0, 1, 'side'))
    partition.skip('side', 3)
    expect(flow).toEqual(['start side 0', 'start in 0'])
    while (broker.committed.get('side') !== 3) await turn()
    await expect(partition.accept(batch(3, 1, 'side'))).resolves.toBe(true)
  })

  it('commits the offset of the topic that a batch is of, and where the main input begins', async () => {
    const { broker, partition, take } = withSide()
    broker.ranges.set('in', { low: 5, high: 9 })
    await take()
    await partition.accept(batch(0, 1, 'side'))
    expect(Object.fromEntries(broker.committed)).toEqual({ side: 1, in: 5 })
    await partition.accept(batch(1, 2, 'side'))
    await partition.accept(batch(5, 2))
    expect(Object.fromEntries(broker.committed)).toEqual({ side: 3, in: 7 })
  })

  it.each(['side', 'in'])('is taken anew, all of it, when a transaction of %s fails', async topic => {
    const { broker, flow, partition, take, nextStart } = withSide()
    await take()
    await partition.accept(batch(0, 3, 'side'))
    let failing = true
    broker.interfere = () => {
      if (failing) throw protocolError('INVALID_TXN_STATE')
    }
    flow.length = 0
    broker.ranges.set('side', { low: 0, high: 6 })
    const again = nextStart()
    const from = topic === 'side' ? 3 : 0
    await expect(partition.accept(batch(from, 2, topic))).resolves.toBe(false)
    failing = false
    await again
    await turn()
    expect(flow).toEqual(['pause in', 'pause side', 'start side 3'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    await expect(partition.accept(batch(3, 3, 'side'))).resolves.toBe(true)
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
    expect(broker.output).toEqual(['0', '1', '2', '3', '4', '5', '0'])
  })

  it('makes its state anew when either input stands elsewhere than memory', async () => {
    for (const topic of ['side', 'in']) {
      const { broker, partition, take, tasks } = withSide()
      await take()
      await partition.accept(batch(0, 3, 'side'))
      await partition.accept(batch(0, 1))
      await take()
      expect(tasks()).toBe(1)
      broker.committed.set(topic, (broker.committed.get(topic) ?? 0) - 1)
      await take()
      expect(tasks()).toBe(2)
    }
  })

  it('may be new to a group that has state, but a main input without an offset is lost', async () => {
    const joined = withSide({ changelog: true })
    joined.broker.ranges.set('log', { low: 0, high: 1 })
    joined.broker.committed.set('in', 4)
    await joined.take()
    const resumed = joined.nextStart()
    await joined.partition.restored(records(0, 1, 'log'), 1)
    await resumed
    expect(joined.flow).toEqual(['start log 0', 'pause log', 'start side 0'])
    expect(joined.fatal).toEqual([])

    const lost = withSide({ changelog: true })
    lost.broker.ranges.set('log', { low: 0, high: 1 })
    lost.broker.committed.set('side', 3)
    await lost.take()
    await lost.partition.restored(records(0, 1, 'log'), 1)
    while (lost.fatal.length === 0) await turn()
    expect(lost.fatal[0]?.code).toBe('NS_OFFSET_LOST')
    expect(lost.fatal[0]?.message).toContain('in-0: g has no committed offset')
  })

  it('ends the service when records of it are gone, or a jump shows', async () => {
    const gone = withSide()
    gone.broker.committed.set('side', 1)
    gone.broker.ranges.set('side', { low: 2, high: 3 })
    gone.partition.take()
    while (gone.fatal.length === 0) await turn()
    expect(gone.fatal[0]?.message).toContain('side-0: 1 offsets (1 to 1) were deleted before g read them')

    const jump = withSide()
    await jump.take()
    await expect(jump.partition.accept(batch(1, 1, 'side'))).resolves.toBe(false)
    expect(jump.fatal[0]?.message).toContain('side-0: offset 1 was fetched where 0 is next')
  })
})
