import { describe, expect, it } from '@jest/globals'
import type { InputRecord, PartitionTask } from '../../connectors/kafka/stage.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert, Decision } from '../../schemas/generated.ts'
import {
  alertingTask,
  alertsOf,
  decisionRecord,
  MINUTE,
  recordAt,
  T0,
  threatRecord,
} from '../../test/support/alerting.ts'

const feed = async (task: PartitionTask, ...records: readonly InputRecord[]): Promise<Alert[]> => {
  const alerts: Alert[] = []
  for (const record of records) {
    const result = await task.process([record])
    result.committed()
    alerts.push(...alertsOf(result.outputs))
  }
  return alerts
}

const smb = (at: number, event = {}) => threatRecord(at, { service: 'smb', ...event })

const opened = async () => {
  const task = alertingTask()
  const [alert] = await feed(task, smb(0))
  return { task, alertId: alert?.id ?? '' }
}

describe('a suppression', () => {
  const where = {
    entity: 'ip:203.0.113.9',
    srcIp: '203.0.113.9',
    sensor: 's1',
    techniques: ['T1110.001'],
  }

  it.each<[string, Partial<Decision>, boolean]>([
    ['its entity', { entity: 'ip:203.0.113.9' }, true],
    ['another entity', { entity: 'ip:203.0.113.10' }, false],
    ['its network', { cidr: '203.0.113.0/28' }, true],
    ['another network', { cidr: '198.51.100.0/24' }, false],
    ['its sensor', { sensor: 's1' }, true],
    ['another sensor', { sensor: 's2' }, false],
    ['its technique', { technique: 'T1110.001' }, true],
    ['the technique above it', { technique: 'T1110' }, true],
    ['another technique', { technique: 'T1110.003' }, false],
    ['its rule', { rule: 'one' }, true],
    ['another rule', { rule: 'three' }, false],
    ['all that it names', { entity: 'ip:203.0.113.9', sensor: 's1', rule: 'one' }, true],
    ['not all that it names', { entity: 'ip:203.0.113.9', sensor: 's2' }, false],
  ])('that names %s: %j', async (_what, named, suppressed) => {
    const suppression = decisionRecord(0, { kind: 'suppress', ...named })
    const alerts = await feed(alertingTask(), suppression, smb(1, where))
    expect(alerts).toHaveLength(suppressed ? 0 : 1)
  })

  it('keeps threats from growing an alert too, and out of windows, and counts them', async () => {
    const metrics = createMetrics()
    const task = alertingTask({ metrics })
    await feed(task, smb(0), threatRecord(0), threatRecord(0))
    await feed(
      task,
      decisionRecord(1, { kind: 'suppress', entity: 'ip:203.0.113.9', expiresAt: T0 + 3 * MINUTE }),
    )
    expect(await feed(task, smb(2), threatRecord(2), threatRecord(2))).toEqual([])
    expect(await metrics.registry.metrics()).toContain('netsentinel_threats_suppressed_total 3')
    const [grown, fired] = await feed(task, smb(3), threatRecord(3))
    expect([grown?.count, fired?.count]).toEqual([2, 3])
  })

  it('is in force from its own time until it expires, by the stamps of threats, whenever it is read', async () => {
    const suppression = decisionRecord(10, {
      kind: 'suppress',
      sensor: 'sensor-1',
      expiresAt: T0 + 20 * MINUTE,
    })
    const alerts = await feed(
      alertingTask(),
      suppression,
      ...[9, 10, 19.9, 20].map((at, i) => smb(at, { entity: `ip:192.0.2.${i}` })),
    )
    expect(alerts.map(({ entity }) => entity)).toEqual(['ip:192.0.2.0', 'ip:192.0.2.3'])
  })

  it('is lifted by a record without a value', async () => {
    const id = 's-1'
    const suppression = decisionRecord(0, { kind: 'suppress', id, rule: 'one' })
    const lifted = recordAt('decisions', 1, id, null)
    expect(await feed(alertingTask(), suppression, smb(1), lifted, smb(2), lifted)).toHaveLength(1)
  })

  it('of a rule leaves other rules alone', async () => {
    const suppression = decisionRecord(0, { kind: 'suppress', rule: 'one' })
    const alerts = await feed(alertingTask(), suppression, smb(1), ...[1, 2, 3].map(at => threatRecord(at)))
    expect(alerts.map(({ rule }) => rule)).toEqual(['three'])
  })
})

describe('triage', () => {
  it('changes the alert and writes it at once, with who decided', async () => {
    const { task, alertId } = await opened()
    const made = await feed(
      task,
      decisionRecord(1, { kind: 'acknowledge', alertId, by: 'ann' }),
      decisionRecord(2, { kind: 'assign', alertId, assignee: 'bob' }),
      decisionRecord(3, { kind: 'comment', alertId, comment: 'looking' }),
      decisionRecord(4, { kind: 'verdict', alertId, verdict: 'true_positive' }),
      decisionRecord(5, { kind: 'resolve', alertId, by: 'bob' }),
      decisionRecord(6, { kind: 'reopen', alertId }),
    )
    expect(
      made.map(({ revision, change, status, assignee, comment, verdict, decidedBy }) => [
        revision,
        change,
        status,
        assignee,
        comment,
        verdict,
        decidedBy,
      ]),
    ).toEqual([
      [2, 'triaged', 'acknowledged', null, null, null, 'ann'],
      [3, 'triaged', 'acknowledged', 'bob', null, null, 'ann'],
      [4, 'triaged', 'acknowledged', 'bob', 'looking', null, 'ann'],
      [5, 'triaged', 'acknowledged', 'bob', 'looking', 'true_positive', 'ann'],
      [6, 'triaged', 'resolved', 'bob', 'looking', 'true_positive', 'bob'],
      [7, 'reopened', 'open', 'bob', 'looking', 'true_positive', 'ann'],
    ])
    expect(made.map(({ updatedAt }) => updatedAt)).toEqual([1, 2, 3, 4, 5, 6].map(at => T0 + at * MINUTE))
  })

  it('changes nothing when it is read again, or is about an alert that is not here', async () => {
    const { task, alertId } = await opened()
    const acknowledge = decisionRecord(1, { kind: 'acknowledge', alertId })
    const reopen = decisionRecord(2, { kind: 'reopen', alertId })
    expect(await feed(task, acknowledge, acknowledge, reopen, acknowledge, reopen)).toHaveLength(2)
    const result = await task.process([
      decisionRecord(3, { kind: 'resolve', alertId: 'elsewhere' }),
      acknowledge,
    ])
    expect(result.outputs).toEqual([])
    expect(result.changes).toEqual([])
  })

  it('lets an acknowledged alert grow and close as it would have', async () => {
    const { task, alertId } = await opened()
    const alerts = await feed(
      task,
      decisionRecord(1, { kind: 'acknowledge', alertId }),
      smb(20),
      threatRecord(50, { service: 'none' }),
    )
    expect(alerts.map(({ change, status }) => [change, status])).toEqual([
      ['triaged', 'acknowledged'],
      ['grew', 'acknowledged'],
      ['closed', 'closed'],
    ])
  })

  it('ends a resolved alert, which opens again when its rule fires again', async () => {
    const { task, alertId } = await opened()
    const resolve = decisionRecord(1, { kind: 'resolve', alertId, verdict: 'false_positive' })
    const [resolved, again] = await feed(task, resolve, smb(2))
    expect(resolved).toMatchObject({ status: 'resolved', verdict: 'false_positive' })
    expect(again).toMatchObject({ id: alertId, change: 'reopened', status: 'open', revision: 3, count: 2 })
  })

  it('counts no threat twice that came between an end and being opened by hand', async () => {
    const task = alertingTask()
    const [alert] = await feed(task, ...[0, 1, 2].map(at => threatRecord(at)))
    const alertId = alert?.id ?? ''
    const after = await feed(
      task,
      decisionRecord(3, { kind: 'resolve', alertId }),
      threatRecord(3),
      threatRecord(4),
      decisionRecord(4, { kind: 'reopen', alertId }),
      threatRecord(5),
    )
    expect(after.at(-1)).toMatchObject({ change: 'grew', count: 4 })
  })

  it('keeps no more of a text than an alert may hold', async () => {
    const { task, alertId } = await opened()
    const [made] = await feed(
      task,
      decisionRecord(1, { kind: 'comment', alertId, comment: 'x'.repeat(5000) }),
    )
    expect(made?.comment).toHaveLength(2000)
  })
})

describe('escalation', () => {
  it('makes an alert that nobody has acknowledged one step more severe, up to the worst', async () => {
    const { task, alertId } = await opened()
    const escalate = (at: number) => decisionRecord(at, { kind: 'escalate', alertId, by: 'gateway' })
    const made = await feed(task, ...[1, 2, 3, 4].map(escalate), smb(5, { sensor: 's2' }))
    expect(made.map(({ change, severity, status }) => [change, severity, status])).toEqual([
      ['escalated', 'medium', 'open'],
      ['escalated', 'high', 'open'],
      ['escalated', 'critical', 'open'],
      ['escalated', 'critical', 'open'],
      ['grew', 'critical', 'open'],
    ])
    expect(made[0]).toMatchObject({ revision: 2, decidedBy: 'gateway', comment: null })
  })

  it('changes nothing when it is read again', async () => {
    const { task, alertId } = await opened()
    const escalate = decisionRecord(1, { kind: 'escalate', alertId })
    expect(await feed(task, escalate, escalate)).toHaveLength(1)
  })

  it.each(['acknowledge', 'resolve'] as const)('comes too late after somebody has said %s', async kind => {
    const { task, alertId } = await opened()
    await feed(task, decisionRecord(1, { kind, alertId }))
    const result = await task.process([decisionRecord(2, { kind: 'escalate', alertId })])
    expect([result.outputs, result.changes]).toEqual([[], []])
  })

  it('is for an alert that is open again, too', async () => {
    const { task, alertId } = await opened()
    const [, , again] = await feed(
      task,
      decisionRecord(1, { kind: 'resolve', alertId }),
      decisionRecord(2, { kind: 'reopen', alertId }),
      decisionRecord(3, { kind: 'escalate', alertId }),
    )
    expect(again).toMatchObject({ change: 'escalated', severity: 'medium' })
  })
})

describe('a decision that is none', () => {
  it.each<[string, InputRecord]>([
    ['a suppression of everything', decisionRecord(0, { kind: 'suppress' })],
    ['a network that is none', decisionRecord(0, { kind: 'suppress', cidr: '203.0.113.0' })],
    ['triage of no alert', decisionRecord(0, { kind: 'resolve' })],
    ['escalation of no alert', decisionRecord(0, { kind: 'escalate' })],
    ['a verdict without one', decisionRecord(0, { kind: 'verdict', alertId: 'a' })],
    [
      'a key that is not the id',
      recordAt('decisions', 0, 'other', String(decisionRecord(0, { kind: 'suppress', rule: 'one' }).value)),
    ],
    ['no key', recordAt('decisions', 0, null, '{}')],
  ])('goes to the dead letters: %s', async (_what, record) => {
    const { outputs, changes } = await alertingTask().process([record])
    expect(outputs.map(({ topic, headers }) => [topic, headers?.['code']])).toEqual([
      ['dead-letters', 'NS_MALFORMED'],
    ])
    expect(changes).toEqual([])
  })
})
