import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { kcat, kcatRead } from '../support/kcat.ts'
import { until } from '../support/services.ts'
import { createSystem } from './processes.ts'

const RECORDS = 3_000

/** Cowrie login attempts of forty sources, told apart by their session. */
const lines = Array.from({ length: RECORDS }, (_, i) =>
  JSON.stringify({
    eventid: 'cowrie.login.failed',
    username: 'root',
    password: `secret-${i}`,
    message: `login attempt [root/secret-${i}] failed`,
    sensor: 'cowrie-1',
    timestamp: new Date(1_700_000_000_000 + i * 10).toISOString(),
    src_ip: `203.0.113.${i % 40}`,
    session: `s${String(i).padStart(8, '0')}`,
    protocol: 'ssh',
  }),
)

describe('kill -9', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'netsentinel-kill-'))
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

  it('of ingest and of the scorer, in the middle of a replay, loses and doubles nothing', async () => {
    // Small fetches make many transactions, so that the kills land between and inside of them.
    const system = await createSystem(dataDir, { KAFKA_MAX_BYTES_PER_PARTITION: '16384' })
    const sessions = async (topic: string) =>
      (await kcatRead(`${system.prefix}${topic}`)).flatMap(
        ({ payload }) => payload?.match(/s\d{8}/)?.[0] ?? [],
      )
    await Promise.all([
      kcat(['-P', '-t', `${system.prefix}raw-events`], `${lines.join('\n')}\n`),
      (async () => {
        for (const wanted of [1, RECORDS / 3, RECORDS / 2]) {
          const stages = [system.run(['ingest']), system.run(['score'])]
          await until(async () => (await sessions('threats.ocsf')).length >= wanted, { timeoutMs: 60_000 })
          for (const stage of stages) stage.kill('SIGKILL')
          await Promise.all(stages.map(stage => stage.exited))
        }
      })(),
    ])
    const last = await Promise.all([system.ready(['ingest']), system.ready(['score'])])
    const found = await until(
      async () => {
        const all = await sessions('threats.ocsf')
        return all.length >= RECORDS && all
      },
      { timeoutMs: 60_000, what: 'every event among the threats' },
    )
    expect(found).toHaveLength(RECORDS)
    expect(new Set(found).size).toBe(RECORDS)
    const threats = await kcatRead(`${system.prefix}threats`)
    expect(threats).toHaveLength(RECORDS)
    for (const stage of last) stage.kill('SIGTERM')
    expect(await Promise.all(last.map(stage => stage.exited))).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
  }, 240_000)
})
