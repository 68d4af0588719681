import { createServer, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { int, port, type SectionValues, section, setting } from './config.ts'
import { codeOf, messageOf, SentinelError, toSentinelError } from './errors.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Settings of every long-running process. */
export const processConfig = section('process', {
  shutdownDeadlineMs: setting(
    'SHUTDOWN_DEADLINE_MS',
    int(100).default(20_000),
    'How long work in flight may take after SIGTERM, in ms.',
  ),
  healthHost: setting(
    'HEALTH_HOST',
    z.string().default('127.0.0.1'),
    'Address of /live, /ready and /metrics.',
  ),
  healthPort: setting(
    'HEALTH_PORT',
    port().optional(),
    'Port of /live, /ready and /metrics; 0 takes a free one; they are off when unset.',
  ),
})

/** What a process needs and whether it is there: one entry a dependency, `problem` says what is wrong. */
export interface Check {
  readonly name: string
  readonly problem?: string
}

/** A long-running part of the system, once it has started. */
export interface Service {
  readonly name: string
  /** What it depends on, looked at now. Never throws. */
  check(): Promise<readonly Check[]>
  /** Settles when the service has ended by itself: rejects with the reason. Pending while it runs, and after close(). */
  readonly failed: Promise<never>
  /** Takes no new work, finishes what is in flight, releases everything. May be called twice. */
  close(): Promise<void>
}

/** Exit codes of every command; docs/operations.md explains them. */
export const EXIT = {
  ok: 0,
  /** A fatal error, a crashed consumer, an unaccounted record. */
  failure: 1,
  /** Wrong arguments. */
  usage: 2,
  /** A setting is missing or wrong. */
  config: 3,
  /** A service that is needed cannot be reached or brought up. */
  unavailable: 4,
  /** A second signal, or the drain deadline, cut the shutdown short. */
  forced: 5,
} as const

/** The exit code for an error that ends a process. */
export const exitCodeOf = (error: unknown): number => {
  const { code } = toSentinelError(error)
  if (code === 'NS_USAGE') return EXIT.usage
  if (code === 'NS_CONFIG_INVALID') return EXIT.config
  if (code === 'NS_SERVICE_UNREACHABLE' || code.startsWith('NS_EMBEDDED_')) return EXIT.unavailable
  if (code === 'NS_SHUTDOWN_TIMEOUT') return EXIT.forced
  return EXIT.failure
}

/**
 * Collects closers while a service starts, and runs them in reverse order, each once, when it closes or when its start
 * fails half-way. A closer that throws does not keep the others from running; the first error is thrown at the end.
 */
export const createCloser = () => {
  const closers: Array<() => unknown> = []
  let closing: Promise<void> | undefined
  const run = async () => {
    const errors: unknown[] = []
    for (const close of closers.reverse()) {
      try {
        await close()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
  return {
    add: (close: () => unknown) => {
      closers.push(close)
    },
    close: (): Promise<void> => (closing ??= run()),
  }
}

/** A promise that only ever rejects, with the function that rejects it: the `failed` of a {@link Service}. */
export const createFailure = () => {
  const { promise, reject } = Promise.withResolvers<never>()
  // Whoever supervises the service awaits it later; until then a rejection must not count as unhandled.
  promise.catch(() => undefined)
  return { failed: promise, fail: (error: unknown) => reject(toSentinelError(error)) }
}

/** Resolves when the signal is aborted, at once if it is already. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

interface SuperviseDeps {
  readonly config: SectionValues<typeof processConfig>
  readonly log: Log
  readonly metrics: Metrics
  /** Where signals come from; the process itself, or an emitter in tests. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>
  /** Aborted when a signal came while the services were being started: they drain at once. */
  readonly interrupted: AbortSignal
  /** Ends the process at once; used on a second signal. */
  readonly exit: (code: number) => void
}

/**
 * Runs services from ready to closed: the first SIGTERM or SIGINT drains them in the order given, a second one exits at
 * once; a service that fails by itself drains the rest and makes the result non-zero.
 *
 * Resolves with the exit code when everything is closed.
 */
export const supervise = async (services: readonly Service[], deps: SuperviseDeps): Promise<number> => {
  const { config, log, signals, exit } = deps
  const stop = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) {
      log.warn({ signal }, 'second signal: exiting at once')
      exit(EXIT.forced)
    }
    stopping = true
    stop.resolve(signal)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) signals.on(signal, onSignal)
  if (deps.interrupted.aborted) onSignal('SIGTERM')
  const closer = createCloser()
  let code: number = EXIT.ok
  try {
    if (config.healthPort !== undefined) {
      const health = await startHealth(services, { ...deps, port: config.healthPort })
      closer.add(() => health.close())
    }
    log.info({ services: services.map(service => service.name) }, 'started')
    const signal = await Promise.race([stop.promise, ...services.map(service => service.failed)])
    log.info({ signal }, 'draining')
  } catch (error) {
    code = exitCodeOf(error)
    const { code: errorCode, advice } = toSentinelError(error)
    log.fatal({ err: error, code: errorCode, advice }, messageOf(error))
  }
  stopping = true
  for (const service of services.toReversed()) closer.add(() => service.close())
  try {
    await withDeadline(closer.close(), config.shutdownDeadlineMs)
    log.info('closed')
  } catch (error) {
    code = code === EXIT.ok ? exitCodeOf(error) : code
    log.error({ err: error }, 'the shutdown was not clean')
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) signals.off(signal, onSignal)
  return code
}

const withDeadline = async (work: Promise<void>, ms: number): Promise<void> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new SentinelError('NS_SHUTDOWN_TIMEOUT', `work in flight did not end within ${ms} ms`)),
    ms,
  )
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

interface HealthDeps extends Pick<SuperviseDeps, 'config' | 'log' | 'metrics'> {
  readonly port: number
}

const send = (response: ServerResponse, status: number, type: string, body: string) => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
}

/**
 * Serves `/live` (the process runs), `/ready` (each of its dependencies is there; 503 and their names otherwise) and
 * `/metrics` (Prometheus text). Throws NS_PORT_TAKEN.
 */
export const startHealth = async (services: readonly Service[], deps: HealthDeps) => {
  const respond = async (path: string, response: ServerResponse) => {
    if (path === '/live') return send(response, 200, 'application/json', '{"live":true}')
    if (path === '/metrics') {
      return send(response, 200, deps.metrics.registry.contentType, await deps.metrics.registry.metrics())
    }
    if (path !== '/ready') return send(response, 404, 'application/json', '{"error":"not found"}')
    const checks = (await Promise.all(services.map(service => service.check()))).flat()
    const ready = checks.every(check => check.problem === undefined)
    return send(response, ready ? 200 : 503, 'application/json', JSON.stringify({ ready, checks }))
  }
  const server: Server = createServer((request, response) => {
    respond(request.url?.split('?')[0] ?? '/', response).catch((error: unknown) => {
      deps.log.error({ err: error }, 'the health endpoint failed')
      send(response, 500, 'application/json', '{"error":"internal"}')
    })
  })
  await listen(server, deps.config.healthHost, deps.port)
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : deps.port
  deps.log.info({ port: bound }, 'health endpoint listens')
  return {
    port: bound,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const listen = (server: Server, host: string, wanted: number) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', (error: unknown) =>
      reject(
        codeOf(error) === 'EADDRINUSE'
          ? new SentinelError('NS_PORT_TAKEN', `port ${wanted} on ${host} is taken`, { cause: error })
          : error,
      ),
    )
    server.listen(wanted, host, resolve)
  })
