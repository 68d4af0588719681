import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import {
  alertingTask,
  alertsOf,
  decisionRecord,
  MINUTE,
  T0,
  threatRecord,
} from '../../test/support/alerting.ts'
import { createChangelog } from '../../test/support/changelog.ts'

/** One batch, and what happens around it. */
interface Step {
  readonly size: number
  /** The batch is worked out, its transaction fails, and a new owner takes over. */
  readonly lost: boolean
  /** A new owner takes over before it. */
  readonly restart: boolean
  /** The broker compacts the changelog before it. */
  readonly compact: boolean
}

const seldom = () => fc.integer({ min: 0, max: 5 }).map(drawn => drawn === 5)
const step: fc.Arbitrary<Step> = fc.record({
  size: fc.integer({ min: 1, max: 8 }),
  lost: seldom(),
  restart: seldom(),
  compact: seldom(),
})
const whole: Step = { size: 1000, lost: false, restart: false, compact: false }

/** What is drawn of an input; ids of alerts are known only while it is made into records. */
type Drawn =
  | {
      readonly kind: 'threat'
      readonly gap: number
      readonly skew: number
      readonly service: string
      readonly entity: string
      readonly user: string | null
      readonly severity: 'low' | 'high'
      readonly sensor: string | null
      readonly again: boolean
    }
  | {
      readonly kind: 'triage'
      readonly what: 'acknowledge' | 'resolve' | 'reopen' | 'comment' | 'escalate'
      readonly which: number
    }
  | { readonly kind: 'suppress'; readonly entity: string; readonly minutes: number; readonly lift: boolean }

const entity = () => fc.constantFrom('ip:192.0.2.1', 'ip:192.0.2.2', 'user:eve')
const threat: fc.Arbitrary<Drawn> = fc.record({
  kind: fc.constant('threat' as const),
  gap: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.constantFrom(35, 70, 3000)),
  skew: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -20, max: 10 })),
  service: fc.constantFrom('ssh', 'ssh', 'ftp', 'smb'),
  entity: entity(),
  user: fc.constantFrom('a', 'b', 'c', 'd', null),
  severity: fc.constantFrom('low' as const, 'high' as const),
  sensor: fc.constantFrom('s1', 's2', null),
  again: seldom(),
})
const drawn: fc.Arbitrary<Drawn> = fc.oneof(
  { weight: 10, arbitrary: threat },
  fc.record({
    kind: fc.constant('triage' as const),
    what: fc.constantFrom('acknowledge', 'resolve', 'reopen', 'comment', 'escalate'),
    which: fc.nat({ max: 5 }),
  }),
  fc.record({
    kind: fc.constant('suppress' as const),
    entity: entity(),
    minutes: fc.integer({ min: 1, max: 60 }),
    lift: fc.boolean(),
  }),
)

/** Makes records: triage names an alert that the threats before it have opened. */
const recordsOf = async (inputs: readonly Drawn[], max: number): Promise<InputRecord[]> => {
  const task = alertingTask({ maxGroups: max, maxAlerts: max })
  const ids: string[] = []
  const records: InputRecord[] = []
  let minute = 0
  for (const input of inputs) {
    const previous = records.findLast(({ topic }) => topic === 'threats')
    const make = (): InputRecord => {
      switch (input.kind) {
        case 'threat': {
          if (input.again && previous !== undefined) return { ...previous, timestamp: T0 + minute * MINUTE }
          minute += input.gap
          const { gap: _, skew, again: __, kind: ___, severity, ...event } = input
          return threatRecord(minute, { ...event, time: T0 + (minute + skew) * MINUTE }, { severity })
        }
        case 'triage':
          return decisionRecord(minute, {
            kind: input.what,
            alertId: ids[input.which % Math.max(1, ids.length)] ?? 'x',
          })
        case 'suppress': {
          const id = `s-${input.entity}`
          const made = decisionRecord(minute, {
            kind: 'suppress',
            id,
            entity: input.entity,
            expiresAt: T0 + (minute + input.minutes) * MINUTE,
          })
          return input.lift ? { ...made, value: null } : made
        }
      }
    }
    const record = make()
    records.push(record)
    const result = await task.process([record])
    result.committed()
    for (const { id, revision } of alertsOf(result.outputs)) if (revision === 1) ids.push(id)
  }
  return records
}

/** Records of one topic at a time, as a task gets them. */
const cut = (records: readonly InputRecord[], size: number): readonly InputRecord[] => {
  const topic = records[0]?.topic
  const other = records.findIndex(record => record.topic !== topic)
  return records.slice(0, Math.min(size, other < 0 ? records.length : other))
}

const run = async (records: readonly InputRecord[], steps: readonly Step[], max: number) => {
  const changelog = createChangelog('alert-state', 5)
  const outputs: OutputRecord[] = []
  const owner = async () => {
    const task = alertingTask({ maxGroups: max, maxAlerts: max })
    await task.restore(changelog.records())
    return task
  }
  let task = await owner()
  let rest = records
  for (let i = 0; rest.length > 0; i++) {
    const { size, lost, restart, compact } = steps[i % steps.length] ?? whole
    const batch = cut(rest, size)
    if (compact) changelog.compact()
    if (lost) await task.process(batch)
    if (lost || restart) task = await owner()
    const result = await task.process(batch)
    outputs.push(...result.outputs)
    changelog.append(result.changes)
    result.committed()
    rest = rest.slice(batch.length)
  }
  return { alerts: outputs.map(each => ({ ...each, value: String(each.value) })), state: changelog.state() }
}

describe('the alerts of a partition', () => {
  it('are a function of its threats and decisions: any batches, restarts and lost batches', async () => {
    let revisions = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(drawn, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.array(step, { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 1, max: 6 }),
        async (inputs, steps, max) => {
          const records = await recordsOf(inputs, max)
          const expected = await run(records, [whole], max)
          const actual = await run(records, steps, max)
          revisions += expected.alerts.length
          expect(actual.alerts).toEqual(expected.alerts)
          expect(new Map(actual.state)).toEqual(new Map(expected.state))
        },
      ),
      { numRuns: 150 },
    )
    // Were nothing drawn that makes alerts, all of the above would hold of nothing.
    expect(revisions).toBeGreaterThan(500)
  }, 120_000)

  it('keep a state that is bounded, whatever comes', async () => {
    const changelog = createChangelog('alert-state', 5)
    const task = alertingTask({ maxGroups: 10, maxAlerts: 5 })
    for (let i = 0; i < 200; i++) {
      const records = ['ssh', 'ftp', 'smb'].map(service =>
        threatRecord(i / 10, { service, entity: `ip:192.0.2.${i}`, user: 'x'.repeat(5000) }),
      )
      const result = await task.process(records)
      changelog.append(result.changes)
      result.committed()
    }
    const state = changelog.state()
    expect(state.length).toBeLessThanOrEqual(10 + 5 + 1)
    const bytes = state.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    expect(task.size?.()).toMatchObject({ entries: state.length, bytes })
    expect(Math.max(...state.map(([, value]) => value.length))).toBeLessThan(4096)
  })
})
