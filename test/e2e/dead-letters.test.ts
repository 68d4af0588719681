import { describe, expect, it } from '@jest/globals'
import { kcat, kcatHeaders, kcatRead } from '../support/kcat.ts'
import { until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'
import { createSystem } from './processes.ts'

const cowrie = (session: string, input = 'uname -a') =>
  JSON.stringify({
    eventid: 'cowrie.command.input',
    input,
    message: 'CMD',
    sensor: 'cowrie-1',
    timestamp: '2026-11-25T10:00:00.000Z',
    src_ip: '203.0.113.7',
    session,
    protocol: 'ssh',
  })

interface Listed {
  readonly id: string
  readonly code: string
  readonly attempt: number
  readonly replayed: { readonly into: string } | null
}

describe('dead letters', () => {
  it('are listed, shown without secrets, and replayed: what still fails comes back, what is cured passes', async () => {
    const system = await createSystem(tempDir())
    const raw = `${system.prefix}raw-events`
    const list = async (...args: string[]): Promise<Listed[]> =>
      (await system.finish(['dlq', 'list', '--json', ...args]))
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Listed)
    const letters = (count: number) =>
      until(
        async () => {
          const all = await list()
          return all.length === count && all
        },
        { what: `${count} dead letters`, timeoutMs: 60_000 },
      )

    // The first can never be read. The second is larger, as an event, than this ingest may write.
    const narrow = await system.ready(['ingest'], { KAFKA_MAX_RECORD_BYTES: '4096' })
    await kcat(['-P', '-t', raw, '-k', 'bad', '-H', 'trace=abc'], '{"PASSWORD": "hunter2", "cut')
    await kcat(['-P', '-t', raw, '-k', 'large'], cowrie('s-large', `echo ${'x'.repeat(3_000)}`))
    const first = await letters(2)
    expect(first.map(({ code, attempt }) => `${code} ${attempt}`).toSorted()).toEqual([
      'NS_NOT_JSON 1',
      'NS_TOO_LARGE 1',
    ])
    narrow.kill('SIGTERM')
    await narrow.exited

    const bad = first.find(({ code }) => code === 'NS_NOT_JSON')?.id ?? ''
    const shown = await system.finish(['dlq', 'show', bad])
    expect(shown).toContain('{"PASSWORD": "***')
    expect(shown).not.toContain('hunter2')
    expect(await system.finish(['dlq', 'show', bad, '--show-secrets'])).toContain('hunter2')
    expect(await system.finish(['dlq', 'list'])).toMatch(/^ID .*\n0-\d .*\n0-\d /)

    expect(await system.finish(['dlq', 'replay', '--all', '--dry-run'])).toBe(
      `2 dead letters would be replayed into ${raw}\n`,
    )
    expect(await list('--pending')).toHaveLength(2)
    await system.ready(['ingest'])
    expect(await system.finish(['dlq', 'replay', '--all'])).toBe(`2 dead letters replayed into ${raw}\n`)

    const after = await letters(3)
    expect(after.filter(({ replayed }) => replayed?.into === raw)).toHaveLength(2)
    expect(after.filter(({ replayed }) => replayed === null)).toEqual([
      expect.objectContaining({ code: 'NS_NOT_JSON', attempt: 2 }),
    ])
    const events = await until(async () => {
      const all = await kcatRead(`${system.prefix}events`)
      return all.length > 0 && all
    })
    expect(events.map(({ payload }) => payload?.includes('s-large'))).toEqual([true])

    const records = await kcatRead(raw)
    const [before, again] = records.filter(({ key }) => key === 'bad')
    expect(again).toMatchObject({ partition: before?.partition, payload: before?.payload })
    expect(kcatHeaders(again ?? records[0] ?? ({} as never))).toEqual({ trace: 'abc', 'ns-attempt': '1' })

    // Said once more, only what has come back is replayed.
    expect(JSON.parse(await system.finish(['dlq', 'replay', '--stage', 'ingest', '--json']))).toMatchObject({
      replayed: { [raw]: [expect.stringContaining('dead-letters-0-')] },
      replayedBefore: 2,
    })
    expect((await letters(4)).map(({ attempt }) => String(attempt)).toSorted()).toEqual(['1', '1', '2', '3'])
  }, 180_000)

  it('ask for a selection, and say what is not there', async () => {
    const system = await createSystem(tempDir())
    const all = system.run(['dlq', 'replay'])
    expect((await all.exited).code).toBe(2)
    expect(all.stderr()).toContain('--all')
    const none = system.run(['dlq', 'show', '0-17'])
    expect((await none.exited).code).toBe(1)
    expect(none.stderr()).toContain('1 of the ids')
  })
})
