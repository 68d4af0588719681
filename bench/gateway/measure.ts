import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSecondsOf } from '../pipeline/processes.ts'
import type { Clients } from './clients.ts'
import { PROTOCOLS } from './protocols.ts'
import type { BenchServer } from './servers.ts'

/** How messages come: so many at once, and how often a second. */
export interface Pattern {
  readonly perSecond: number
  readonly atOnce: number
  readonly seconds: number
  /** Of one message. */
  readonly bytes: number
}

/** What was found of one server in one round. */
export interface Finding {
  readonly server: string
  readonly subscribers: number
  readonly perSecond: number
  readonly atOnce: number
  readonly bytes: number
  /** Whether there is one more subscriber, which reads nothing; the others are measured. */
  readonly isOneDeaf: boolean
  /** User and system time of the server's process. */
  readonly cpuMicrosPerMessage: number
  readonly p50: number
  readonly p99: number
  /** How many messages a client found in one read. */
  readonly perRead: number
  /** Share of the messages that came; 1 unless the server was overrun. */
  readonly delivered: number
}

/** Longest that is waited for what is late. */
const PATIENCE_MS = 20_000
/** Connections, memory and just-in-time code come to rest in so long. */
const REST_MS = 1_000

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** Publishes by a pattern and waits until every subscriber has everything. */
export const deliver = async (
  server: BenchServer,
  clients: Clients,
  pattern: Pattern,
  isOneDeaf = false,
): Promise<Finding> => {
  const { perSecond, atOnce, seconds, bytes } = pattern
  const times = Math.max(1, Math.round(perSecond * seconds))
  const cpuBefore = cpuSecondsOf(server.pid)
  const all = clients.expect(server.target, times * atOnce, seconds * 1_000 + PATIENCE_MS)
  const started = performance.now()
  const published: Promise<void>[] = []
  for (let i = 0; i < times; i += 1) {
    await sleep(Math.max(0, started + (i * 1_000) / perSecond - performance.now()))
    published.push(server.publish(atOnce, bytes))
  }
  await Promise.all(published)
  const { received, clients: subscribers, latencies, reads } = await all
  const sorted = latencies.toSorted((a, b) => a - b)
  return {
    server: server.name,
    subscribers,
    perSecond,
    atOnce,
    bytes,
    isOneDeaf,
    cpuMicrosPerMessage: ((cpuSecondsOf(server.pid) - cpuBefore) * 1e6) / received,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    perRead: received / reads,
    delivered: received / (times * atOnce * subscribers),
  }
}

/** Memory that a process has resident, in KB. */
const residentKb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

/** Memory of a server that has given back what it does not need, in KB. */
export const settledKb = async (server: BenchServer): Promise<number> => {
  await sleep(REST_MS)
  await server.settle()
  await sleep(REST_MS)
  return residentKb(server.pid)
}

/** What it takes when all clients lose their connection, miss messages and come back at once. */
export interface Storm {
  readonly server: string
  readonly clients: number
  /** Messages that each of them has missed, and got afterwards; 0 where the server keeps none. */
  readonly recovered: number
  readonly cpuMicrosPerClient: number
  /** Until the last of them had everything. */
  readonly seconds: number
}

/** Closes all clients of a server, publishes, and has them come back. */
export const storm = async (
  server: BenchServer,
  clients: Clients,
  { count, missed, bytes }: { readonly count: number; readonly missed: number; readonly bytes: number },
): Promise<Storm> => {
  await clients.resize(server.target, 0)
  const seen = server.published
  await server.publish(missed, bytes)
  await sleep(REST_MS)
  const cpuBefore = cpuSecondsOf(server.pid)
  const started = performance.now()
  await clients.comeBack(server.target, count, seen, missed)
  return {
    server: server.name,
    clients: count,
    recovered: PROTOCOLS[server.name].recovers ? missed : 0,
    cpuMicrosPerClient: ((cpuSecondsOf(server.pid) - cpuBefore) * 1e6) / count,
    seconds: (performance.now() - started) / 1000,
  }
}
