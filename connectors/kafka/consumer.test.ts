import { EventEmitter } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import type { Consumer } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { watchConsumer, withHeartbeat } from './consumer.ts'

const EVENTS = {
  GROUP_JOIN: 'join',
  STOP: 'stop',
  CRASH: 'crash',
  END_BATCH_PROCESS: 'batch',
} as const

const setUp = () => {
  const emitter = new EventEmitter()
  const heard: unknown[] = []
  let disconnects = 0
  const consumer = {
    events: EVENTS,
    on: (name: string, listener: (event: unknown) => void) => emitter.on(name, listener),
    disconnect: async () => {
      disconnects++
    },
  } as unknown as Consumer
  const fatal = Promise.withResolvers<SentinelError>()
  const watch = watchConsumer(consumer, {
    log: silentLog(),
    group: 'g',
    positions: {
      committed: async () => 4,
      range: async () => ({ low: 10, high: 20 }),
      lag: async () => new Map(),
      close: async () => undefined,
    },
    fatal: error => fatal.resolve(error),
    joined: assignment => heard.push(assignment),
    stopped: () => heard.push('stopped'),
    filtered: (...args) => heard.push(args),
  })
  const emit = (name: keyof typeof EVENTS, payload: object = {}) => emitter.emit(EVENTS[name], { payload })
  return { emit, heard, watch, fatal: fatal.promise, disconnects: () => disconnects }
}

describe('watchConsumer', () => {
  it('hands on assignments at once, and fetches that brought nothing to read', async () => {
    const { emit, heard, watch } = setUp()
    expect([watch.running(), watch.problem()]).toEqual([false, 'has not joined its group yet'])
    emit('GROUP_JOIN', { memberAssignment: { t: [0] } })
    emit('END_BATCH_PROCESS', { topic: 't', partition: 0, batchSize: 3, lastOffset: '5' })
    emit('END_BATCH_PROCESS', { topic: 't', partition: 0, batchSize: 0, lastOffset: '7' })
    expect(heard).toEqual([{ t: [0] }, ['t', 0, 8]])
    await watch.firstJoin
    expect([watch.running(), watch.problem(), watch.generation()]).toEqual([true, undefined, 1])
  })

  it('makes a crash that kafkajs does not restart fatal', async () => {
    const { emit, watch, fatal } = setUp()
    emit('CRASH', { error: new TypeError('x is not a function'), restart: false })
    await expect(fatal).resolves.toMatchObject({ code: 'NS_CONSUMER_CRASHED' })
    await expect(watch.firstJoin).rejects.toMatchObject({ code: 'NS_CONSUMER_CRASHED' })
    expect(watch.problem()).toContain('x is not a function')
  })

  it('leaves a crash that kafkajs restarts to it, and says so meanwhile', async () => {
    const { emit, heard, watch } = setUp()
    emit('GROUP_JOIN', { memberAssignment: {} })
    emit('STOP')
    emit('CRASH', { error: new Error('no broker'), restart: true })
    expect([watch.running(), watch.problem()]).toEqual([false, 'is reconnecting: no broker'])
    expect(heard).toEqual([{}, 'stopped'])
    emit('GROUP_JOIN', { memberAssignment: {} })
    expect([watch.running(), watch.problem(), watch.generation()]).toEqual([true, undefined, 2])
  })

  it('counts what is gone when an offset is out of range', async () => {
    const { emit, fatal } = setUp()
    const cause = {
      name: 'KafkaJSOffsetOutOfRange',
      message: 'out',
      type: 'OFFSET_OUT_OF_RANGE',
      topic: 't',
      partition: 1,
    }
    emit('CRASH', { error: Object.assign(new Error('out'), { cause }), restart: false })
    const error = await fatal
    expect(error.code).toBe('NS_OFFSET_LOST')
    expect(error.message).toContain('t-1: 6 offsets (4 to 9) were deleted before g read them')
  })

  it('passes on what a codec refused', async () => {
    const { emit, fatal } = setUp()
    const cause = new SentinelError('NS_BATCH_CORRUPT', 'what is this')
    emit('CRASH', { error: Object.assign(new Error('x'), { cause }), restart: false })
    await expect(fatal).resolves.toBe(cause)
  })

  it('does not disconnect in the middle of a restart, which would go on behind it', async () => {
    const { emit, watch, disconnects } = setUp()
    emit('CRASH', { error: new Error('no broker'), restart: true })
    const closed = watch.close()
    await new Promise(resolve => setImmediate(resolve))
    expect(disconnects()).toBe(0)
    emit('GROUP_JOIN', { memberAssignment: {} })
    await closed
    expect(disconnects()).toBe(1)
  })
})

describe('withHeartbeat', () => {
  it('hands on the result and the error of the work', async () => {
    const heartbeat = () => Promise.resolve()
    await expect(withHeartbeat(heartbeat, async () => 5)).resolves.toBe(5)
    await expect(withHeartbeat(heartbeat, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('beats while the work goes on, whatever becomes of a beat', async () => {
    let beats = 0
    const twice = Promise.withResolvers<void>()
    const heartbeat = () => {
      beats++
      if (beats === 2) twice.resolve()
      return Promise.reject(new Error('rebalancing'))
    }
    await withHeartbeat(heartbeat, () => twice.promise)
    expect(beats).toBe(2)
  })
})
