import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { batch, protocolError, records, setUpPartition } from '../../test/support/partition.ts'

describe('a partition that is owned', () => {
  it('fences first, reads the committed offset after that, and goes on there', async () => {
    const { broker, flow, partition, take } = setUpPartition()
    broker.committed.set('in', 7)
    await take()
    expect(flow).toEqual(['start in 7'])
    expect(broker.epoch).toBe(1)
    await expect(partition.accept(batch(7, 2))).resolves.toBe(true)
    expect([broker.output, broker.committed.get('in')]).toEqual([['7', '8'], 9])
    await partition.close()
    expect(broker.closed).toBe(broker.opened)
  })

  it('takes no batch before it is taken, after it is released, and while it is taken anew', async () => {
    const { broker, partition, take } = setUpPartition()
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    await take()
    partition.release()
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    expect(broker.output).toEqual([])
  })

  it('refuses a batch at once while its changelog is read, or no fetch could bring the changelog', async () => {
    const { broker, flow, partition, take, nextStart } = setUpPartition({ changelog: true })
    broker.ranges.set('log', { low: 0, high: 3 })
    broker.committed.set('in', 0)
    await take()
    expect(flow).toEqual(['start log 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    const resumed = nextStart()
    await partition.restored(records(0, 1), 1)
    await partition.restored([], 3)
    await resumed
    expect(flow).toEqual(['start log 0', 'pause log', 'start in 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
  })

  it.each(['send', 'offsets', 'commit'] as const)(
    'throws the producer away when %s fails, and takes the partition anew',
    async step => {
      const { broker, partition, take, nextStart, tasks, flow } = setUpPartition()
      await take()
      let failing = true
      broker.interfere = at => {
        if (failing && at === step) throw protocolError('INVALID_TXN_STATE')
      }
      const again = nextStart()
      await expect(partition.accept(batch(0, 3))).resolves.toBe(false)
      failing = false
      await again
      expect(flow).toEqual(['start in 0', 'pause in', 'start in 0'])
      expect(broker.opened).toBe(2)
      await expect(partition.accept(batch(0, 3))).resolves.toBe(true)
      expect(broker.output).toEqual(['0', '1', '2'])
      // The committed offset was where the state in memory stood.
      expect(tasks()).toBe(1)
    },
  )

  it('finds out that a commit was taken though its answer was lost, and makes its state anew', async () => {
    const { broker, partition, take, nextStart, tasks, flow } = setUpPartition()
    await take()
    let failing = true
    broker.interfere = at => {
      if (failing && at === 'answer') throw protocolError('INVALID_TXN_STATE')
    }
    const again = nextStart()
    await expect(partition.accept(batch(0, 3))).resolves.toBe(false)
    failing = false
    await again
    expect(flow.at(-1)).toBe('start in 3')
    expect(tasks()).toBe(2)
    expect(broker.output).toEqual(['0', '1', '2'])
  })

  it('cannot commit a batch that was begun before the partition was taken anew', async () => {
    const { broker, partition, take, nextStart, onProcess } = setUpPartition()
    await take()
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    onProcess(async () => {
      reached.resolve()
      await gate.promise
    })
    const late = partition.accept(batch(0, 2))
    await reached.promise
    const again = nextStart()
    partition.take()
    while (broker.opened < 2) await new Promise(resolve => setImmediate(resolve))
    gate.resolve()
    await expect(late).resolves.toBe(false)
    await again
    expect(broker.output).toEqual([])
    await expect(partition.accept(batch(0, 2))).resolves.toBe(true)
    expect(broker.output).toEqual(['0', '1'])
  })

  it('is taken anew when the connection to its coordinator has ended', async () => {
    const { broker, partition, take, nextStart } = setUpPartition()
    await take()
    await partition.accept(batch(0, 2))
    const again = nextStart()
    for (const lose of broker.loseConnections.splice(0)) lose()
    await again
    expect(broker.opened).toBe(2)
    await expect(partition.accept(batch(2, 2))).resolves.toBe(true)
    expect(broker.output).toEqual(['0', '1', '2', '3'])
  })

  it('ends the service when another offset was fetched than the next one', async () => {
    const { broker, fatal, partition, take } = setUpPartition()
    await take()
    await partition.accept(batch(0, 2))
    await expect(partition.accept(batch(5, 2))).resolves.toBe(false)
    expect(fatal.map(error => error.code)).toEqual(['NS_OFFSET_LOST'])
    expect(fatal[0]?.message).toContain('offset 5 was fetched where 2 is next')
    expect(broker.output).toEqual(['0', '1'])
  })

  it('goes on behind offsets with nothing to read, and commits them', async () => {
    const { broker, fatal, partition, take } = setUpPartition()
    await take()
    await partition.accept(batch(0, 2))
    partition.skip('in', 9)
    await expect(partition.accept(batch(9, 1))).resolves.toBe(true)
    expect(fatal).toEqual([])
    partition.skip('in', 15)
    while (broker.committed.get('in') !== 15) await new Promise(resolve => setImmediate(resolve))
    expect(broker.output).toEqual(['0', '1', '9'])
  })

  it('ends the service with a fatal error of the stage, and with a lost range', async () => {
    const { broker, fatal, partition, take, onProcess } = setUpPartition()
    await take()
    onProcess(() => Promise.reject(new SentinelError('NS_SCORING_FAILED', 'no')))
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    expect(fatal.map(error => error.code)).toEqual(['NS_SCORING_FAILED'])
    broker.committed.set('in', 3)
    broker.ranges.set('in', { low: 8, high: 10 })
    partition.take()
    while (fatal.length < 2) await new Promise(resolve => setImmediate(resolve))
    expect(fatal[1]?.message).toContain('5 offsets (3 to 7)')
  })

  it('says what keeps it from going on, and tries again', async () => {
    const { broker, partition, take, nextStart, onProcess } = setUpPartition()
    await take()
    onProcess(() => Promise.reject(new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry is away')))
    const again = nextStart()
    await partition.accept(batch(0, 1))
    expect(partition.trouble()).toBe('the registry is away')
    await again
    onProcess(async () => undefined)
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
    expect(partition.trouble()).toBeUndefined()
    expect(broker.output).toEqual(['0'])
  })
})
