import { EventEmitter } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { SentinelError } from './errors.ts'
import {
  type Check,
  createCloser,
  createFailure,
  EXIT,
  exitCodeOf,
  type Service,
  startHealth,
  supervise,
} from './lifecycle.ts'
import { silentLog } from './log.ts'
import { createMetrics } from './metrics.ts'

const CONFIG = { shutdownDeadlineMs: 10_000, healthHost: '127.0.0.1' }

/** A service that notes in `closed` when it is closed. */
const fakeService = (
  name: string,
  closed: string[],
  close = () => Promise.resolve(),
  checks: Check[] = [],
) => {
  const { failed, fail } = createFailure()
  const service: Service = {
    name,
    check: async () => checks,
    failed,
    close: async () => {
      await close()
      closed.push(name)
    },
  }
  return { service, fail }
}

/** Starts supervision with an emitter for signals; `started` resolves when the signals are listened for. */
const start = (
  services: Service[],
  config: Partial<typeof CONFIG & { healthPort: number }> = {},
  interrupted = new AbortController().signal,
) => {
  const signals = new EventEmitter()
  const exits: number[] = []
  const code = supervise(services, {
    config: { ...CONFIG, ...config },
    log: silentLog(),
    metrics: createMetrics(),
    signals,
    interrupted,
    exit: exit => void exits.push(exit),
  })
  return { signals, exits, code }
}

describe('supervise', () => {
  it.each(['SIGTERM', 'SIGINT'])('drains in the order given on %s and ends with 0', async signal => {
    const closed: string[] = []
    const { signals, code, exits } = start([
      fakeService('ingest', closed).service,
      fakeService('scoring', closed).service,
    ])
    signals.emit(signal, signal)
    expect(await code).toBe(EXIT.ok)
    expect(closed).toEqual(['ingest', 'scoring'])
    expect(exits).toEqual([])
    expect(signals.eventNames()).toEqual([])
  })

  it('drains at once when the signal came while the services were starting', async () => {
    const closed: string[] = []
    const { code, exits } = start([fakeService('ingest', closed).service], {}, AbortSignal.abort())
    expect(await code).toBe(EXIT.ok)
    expect(closed).toEqual(['ingest'])
    expect(exits).toEqual([])
  })

  it('runs until there is a reason to stop', async () => {
    const closed: string[] = []
    const { signals, code } = start([fakeService('ingest', closed).service])
    await new Promise(resolve => setImmediate(resolve))
    expect(closed).toEqual([])
    signals.emit('SIGTERM', 'SIGTERM')
    await code
  })

  it('exits at once on the second signal, while the first one is still draining', async () => {
    const drained = Promise.withResolvers<void>()
    const { signals, code, exits } = start([fakeService('ingest', [], () => drained.promise).service])
    signals.emit('SIGTERM', 'SIGTERM')
    expect(exits).toEqual([])
    signals.emit('SIGINT', 'SIGINT')
    expect(exits).toEqual([EXIT.forced])
    drained.resolve()
    await code
  })

  it.each([
    [new SentinelError('NS_CONSUMER_CRASHED', 'the consumer crashed'), EXIT.failure],
    [new SentinelError('NS_SERVICE_UNREACHABLE', 'Kafka is away'), EXIT.unavailable],
    [new TypeError('x is not a function'), EXIT.failure],
  ])('closes the others and ends non-zero when a service fails with %p', async (error, expected) => {
    const closed: string[] = []
    const failing = fakeService('scoring', closed)
    const { code } = start([fakeService('ingest', closed).service, failing.service])
    failing.fail(error)
    expect(await code).toBe(expected)
    expect(closed).toEqual(['ingest', 'scoring'])
  })

  it('ends non-zero when a service cannot be closed, and closes the others all the same', async () => {
    const closed: string[] = []
    const stuck = fakeService('ingest', closed, () => Promise.reject(new Error('cannot disconnect')))
    const { signals, code } = start([stuck.service, fakeService('scoring', closed).service])
    signals.emit('SIGTERM', 'SIGTERM')
    expect(await code).toBe(EXIT.failure)
    expect(closed).toEqual(['scoring'])
  })

  it('stops waiting at the deadline', async () => {
    const never = fakeService('ingest', [], () => Promise.withResolvers<void>().promise)
    const { signals, code } = start([never.service], { shutdownDeadlineMs: 100 })
    signals.emit('SIGTERM', 'SIGTERM')
    expect(await code).toBe(EXIT.forced)
  })

  it('closes everything when the health port is taken', async () => {
    const holder = createServer()
    await new Promise<void>(resolve => holder.listen(0, '127.0.0.1', resolve))
    const address = holder.address()
    const healthPort = typeof address === 'object' && address !== null ? address.port : 0
    const closed: string[] = []
    try {
      const { code } = start([fakeService('ingest', closed).service], { healthPort })
      expect(await code).toBe(EXIT.failure)
      expect(closed).toEqual(['ingest'])
      await expect(health([], healthPort)).rejects.toMatchObject({
        code: 'NS_PORT_TAKEN',
        message: expect.stringContaining(String(healthPort)),
      })
    } finally {
      await new Promise(resolve => holder.close(resolve))
    }
  })
})

const health = (services: Service[], port = 0, metrics = createMetrics()) =>
  startHealth(services, { config: CONFIG, log: silentLog(), metrics, port })

describe('startHealth', () => {
  const get = async (port: number, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    }
  }

  it('is live while a dependency is away, but not ready, and says which', async () => {
    const checks: Check[] = [{ name: 'kafka' }, { name: 'redis', problem: 'refused' }]
    const { service } = fakeService('gateway', [], undefined, checks)
    const { port, close } = await health([service])
    try {
      expect(await get(port, '/live')).toMatchObject({ status: 200 })
      const away = await get(port, '/ready')
      expect(away.status).toBe(503)
      expect(JSON.parse(away.body)).toEqual({ ready: false, checks })
      checks.pop()
      expect(await get(port, '/ready?verbose')).toMatchObject({ status: 200 })
    } finally {
      await close()
    }
  })

  it('gives the metrics in the text form of Prometheus', async () => {
    const metrics = createMetrics()
    metrics.deadLetters.inc({ stage: 'ingest', code: 'NS_EMPTY' })
    const { port, close } = await health([], 0, metrics)
    try {
      const { type, body } = await get(port, '/metrics')
      expect(type).toContain('text/plain')
      expect(body).toContain('netsentinel_dead_letters_total{stage="ingest",code="NS_EMPTY"} 1')
      expect(await get(port, '/other')).toMatchObject({ status: 404 })
    } finally {
      await close()
    }
  })

  it('answers 500, and goes on, when a check throws although it must not', async () => {
    const broken = { ...fakeService('ingest', []).service, check: () => Promise.reject(new Error('defect')) }
    const { port, close } = await health([broken])
    try {
      expect(await get(port, '/ready')).toMatchObject({ status: 500, body: '{"error":"internal"}' })
      expect(await get(port, '/live')).toMatchObject({ status: 200 })
    } finally {
      await close()
    }
  })
})

describe('createCloser', () => {
  it('closes in reverse order, each once, and throws the first error after all have run', async () => {
    const order: string[] = []
    const closer = createCloser()
    closer.add(() => order.push('first'))
    closer.add(() => {
      order.push('second')
      throw new Error('second failed')
    })
    closer.add(async () => {
      order.push('third')
      throw new Error('third failed')
    })
    const closing = closer.close()
    expect(closer.close()).toBe(closing)
    await expect(closing).rejects.toThrow('third failed')
    expect(order).toEqual(['third', 'second', 'first'])
  })
})

describe('exitCodeOf', () => {
  it.each([
    ['NS_USAGE', EXIT.usage],
    ['NS_CONFIG_INVALID', EXIT.config],
    ['NS_SERVICE_UNREACHABLE', EXIT.unavailable],
    ['NS_EMBEDDED_LOCKED', EXIT.unavailable],
    ['NS_SHUTDOWN_TIMEOUT', EXIT.forced],
    ['NS_PORT_TAKEN', EXIT.failure],
  ] as const)('maps %s to %d', (code, expected) => {
    expect(exitCodeOf(new SentinelError(code, 'x'))).toBe(expected)
  })
})
