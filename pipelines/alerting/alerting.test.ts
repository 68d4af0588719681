import { describe, expect, it } from '@jest/globals'
import type { InputRecord, PartitionTask } from '../../connectors/kafka/stage.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert } from '../../schemas/generated.ts'
import {
  alertingTask,
  alertsOf,
  MINUTE,
  PARTITION,
  recordAt,
  T0,
  threatRecord,
} from '../../test/support/alerting.ts'

/** The alerts that records come to, one transaction each. */
const feed = async (task: PartitionTask, records: readonly InputRecord[]): Promise<Alert[]> => {
  const alerts: Alert[] = []
  for (const record of records) {
    const result = await task.process([record])
    result.committed()
    alerts.push(...alertsOf(result.outputs))
  }
  return alerts
}

const story = (alerts: readonly Alert[]) =>
  alerts.map(({ rule, revision, change, status, severity, count }) => [
    rule,
    revision,
    change,
    status,
    severity,
    count,
  ])

describe('alerting', () => {
  it('opens one alert for threats of an entity, and lets it grow with the logarithm of their number', async () => {
    const threats = Array.from({ length: 40 }, (_, i) => threatRecord(i))
    expect(story(await feed(alertingTask(), threats))).toEqual([
      ['three', 1, 'opened', 'open', 'medium', 3],
      ['three', 2, 'grew', 'open', 'medium', 4],
      ['three', 3, 'grew', 'open', 'medium', 8],
      ['three', 4, 'grew', 'open', 'medium', 16],
      ['three', 5, 'grew', 'open', 'medium', 32],
    ])
  })

  it('says what the alert is about', async () => {
    const [opened] = await feed(alertingTask(), [
      threatRecord(0, { id: 'a', sensor: 's1' }, { score: 0.7 }),
      threatRecord(
        1,
        { id: 'b', sensor: 's2', techniques: ['T1078'], title: 'Login as root' },
        { score: 0.9, severity: 'high' },
      ),
      threatRecord(2, { id: 'c', sensor: 's1' }),
    ])
    expect(opened).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{20}$/),
      revision: 1,
      status: 'open',
      severity: 'high',
      rule: 'three',
      title: 'three',
      entity: 'ip:203.0.113.9',
      score: 0.9,
      techniques: ['T1110', 'T1078'],
      firstSeen: T0,
      lastSeen: T0 + 2 * MINUTE,
      count: 3,
      threatIds: ['a', 'b', 'c'],
      sensors: ['s1', 's2'],
      change: 'opened',
      reason: '3 threats (ssh), 3 or more within 5m make an alert; most unusual: Login as root',
      group: { entity: 'ip:203.0.113.9' },
      field: null,
      values: [],
      distinct: 0,
      openedAt: T0 + 2 * MINUTE,
      updatedAt: T0 + 2 * MINUTE,
      verdict: null,
      assignee: null,
      comment: null,
      decidedBy: null,
    })
  })

  it('gives the values that it counts', async () => {
    const users = ['root', 'pi', 'root', 'admin', 'guest']
    const alerts = await feed(
      alertingTask(),
      users.map((user, i) => threatRecord(i, { service: 'ftp', user })),
    )
    expect(
      alerts.map(({ values, distinct, field, reason }) => ({ values, distinct, field, reason })),
    ).toEqual([
      {
        values: ['pi', 'root', 'admin'],
        distinct: 3,
        field: 'user',
        reason:
          '3 values of user in 4 threats, 3 or more within 10m make an alert; most unusual: SSH login failed',
      },
    ])
    const more = Array.from({ length: 300 }, (_, i) => threatRecord(6, { service: 'ftp', user: `user${i}` }))
    const last = (await feed(alertingTask(), more)).at(-1)
    expect(last?.values).toHaveLength(20)
    expect(last?.reason).toMatch(/^100 or more values of user in 256 threats/)
  })

  it('writes to the partition number of the threats, keyed by the id, stamped as the threat, and to every sink', async () => {
    const sink = { topic: 'alerts.ocsf', encode: (alert: Alert) => Buffer.from(`ocsf ${alert.id}`) }
    const task = alertingTask({ sinks: [sink] })
    const cause = threatRecord(3, { service: 'smb' })
    const { outputs } = await task.process([cause])
    const [{ id } = { id: '' }] = alertsOf(outputs)
    const place = { partition: PARTITION, key: id, timestamp: T0 + 3 * MINUTE, cause }
    expect(outputs).toEqual([
      { topic: 'alerts', value: expect.any(Buffer), ...place },
      { topic: 'alerts.ocsf', value: Buffer.from(`ocsf ${id}`), ...place },
    ])
  })

  it('names alerts by rule, group and the threat that opened them: the same again, and no two alike', async () => {
    const threats = [
      threatRecord(0, { service: 'smb', id: 'x' }),
      threatRecord(0, { service: 'smb', id: 'x', entity: 'ip:198.51.100.1' }),
      threatRecord(300, { service: 'smb', id: 'y' }),
    ]
    const ids = (alerts: readonly Alert[]) =>
      alerts.filter(({ revision }) => revision === 1).map(({ id }) => id)
    const first = ids(await feed(alertingTask(), threats))
    expect(ids(await feed(alertingTask(), threats))).toEqual(first)
    expect(new Set(first).size).toBe(3)
  })

  it('escalates with the severity of threats, with breadth and with mass, and never goes back', async () => {
    const task = alertingTask()
    const of = async (...records: readonly InputRecord[]) => story(await feed(task, records)).at(-1)
    const smb = { service: 'smb' }
    expect(await of(threatRecord(0, smb))).toEqual(['one', 1, 'opened', 'open', 'low', 1])
    expect(await of(threatRecord(1, smb, { severity: 'medium' }))).toEqual([
      'one',
      2,
      'escalated',
      'open',
      'medium',
      2,
    ])
    const techniques = Array.from({ length: 8 }, (_, i) => `T100${i}`)
    expect(await of(threatRecord(2, { ...smb, techniques }))).toEqual([
      'one',
      3,
      'escalated',
      'open',
      'high',
      3,
    ])
    const mass = Array.from({ length: 97 }, () => threatRecord(3, smb))
    expect(await of(...mass)).toEqual(['one', 9, 'escalated', 'open', 'critical', 100])
    expect(await of(threatRecord(4, smb))).toBeUndefined()
  })

  it('writes a revision for each new technique and sensor', async () => {
    const smb = { service: 'smb', sensor: 'a' }
    const alerts = await feed(alertingTask(), [
      ...[0, 1, 2, 3, 4].map(at => threatRecord(at, smb)),
      threatRecord(5, { ...smb, sensor: 'b' }),
      threatRecord(6, { ...smb, techniques: ['T1039'] }),
      threatRecord(7, { ...smb, sensor: 'b', techniques: ['T1039'] }),
    ])
    expect(story(alerts).map(([, revision, , , , count]) => [revision, count])).toEqual([
      [1, 1],
      [2, 2],
      [3, 4],
      [4, 6],
      [5, 7],
      [6, 8],
    ])
  })

  it('does not count a threat twice that comes again, before the alert or after', async () => {
    const [a, b, c] = [threatRecord(0), threatRecord(1), threatRecord(2)]
    const [d, e] = [threatRecord(3), threatRecord(3, { sensor: 'another' })]
    const alerts = await feed(alertingTask(), [a, a, b, b, a, c, c, a, b, d, d, d, e])
    expect(story(alerts)).toEqual([
      ['three', 1, 'opened', 'open', 'medium', 3],
      ['three', 2, 'grew', 'open', 'medium', 4],
      ['three', 3, 'grew', 'open', 'medium', 5],
    ])
  })
})

describe('the end of an alert', () => {
  const opening = [0, 1, 2].map(at => threatRecord(at))
  const other = { entity: 'ip:198.51.100.1', service: 'none' }

  it('comes with the first threat of the partition after its quiet time, whosever it is, with the final figures', async () => {
    const task = alertingTask()
    const alerts = await feed(task, [
      ...opening,
      ...[3, 4, 5].map(at => threatRecord(at)),
      threatRecord(34.9, other),
      threatRecord(35, other),
    ])
    expect(story(alerts).slice(2)).toEqual([['three', 3, 'closed', 'closed', 'medium', 6]])
    expect(alerts.at(-1)).toMatchObject({ updatedAt: T0 + 35 * MINUTE, lastSeen: T0 + 5 * MINUTE })
  })

  it('is not part of the trace of the threat that brings it about', async () => {
    const task = alertingTask()
    await feed(task, opening)
    const { outputs } = await task.process([threatRecord(40, other)])
    expect(outputs.map(({ topic, cause }) => [topic, cause])).toEqual([['alerts', undefined]])
  })

  it('is delayed by each threat, however old the event says it is', async () => {
    const late = threatRecord(31, { time: T0 - 1e9 })
    const alerts = await feed(alertingTask(), [
      ...opening,
      late,
      threatRecord(33, other),
      threatRecord(62, other),
    ])
    expect(story(alerts).at(-1)).toEqual(['three', 3, 'closed', 'closed', 'medium', 4])
    expect(alerts.at(-1)?.updatedAt).toBe(T0 + 62 * MINUTE)
  })

  it('is not brought about by a sensor whose clock is ahead', async () => {
    const ahead = threatRecord(3, { ...other, time: T0 + 1e9 })
    expect(story(await feed(alertingTask(), [...opening, ahead])).at(-1)?.[2]).toBe('opened')
  })

  it('is not sooner than a timespan of its rule', async () => {
    const quick = alertingTask({ quietMs: MINUTE })
    const alerts = await feed(quick, [...opening, threatRecord(6.9, other), threatRecord(7, other)])
    expect(story(alerts).map(each => each[2])).toEqual(['opened', 'closed'])
    expect(alerts.at(-1)?.updatedAt).toBe(T0 + 7 * MINUTE)
  })

  it('comes early by a stamp that is years ahead, which delays later ends by a day at most', async () => {
    const task = alertingTask()
    const stories = story(
      await feed(task, [
        ...opening,
        threatRecord(1e6, other),
        threatRecord(3, { service: 'smb', entity: 'ip:192.0.2.3' }),
        threatRecord(60, other),
        threatRecord(24 * 60 + 33, other),
      ]),
    )
    expect(stories.map(each => [each[0], each[2]])).toEqual([
      ['three', 'opened'],
      ['three', 'closed'],
      ['one', 'opened'],
      ['one', 'closed'],
    ])
  })

  it('lets it open again when its rule fires again soon after, and a new one begin later', async () => {
    const task = alertingTask()
    const soon = await feed(task, [...opening, ...[80, 81, 82].map(at => threatRecord(at))])
    expect(story(soon)).toEqual([
      ['three', 1, 'opened', 'open', 'medium', 3],
      ['three', 2, 'closed', 'closed', 'medium', 3],
      ['three', 3, 'reopened', 'open', 'medium', 6],
    ])
    const later = await feed(
      task,
      [200, 201, 202].map(at => threatRecord(at)),
    )
    expect(story(later)).toEqual([
      ['three', 4, 'closed', 'closed', 'medium', 6],
      ['three', 1, 'opened', 'open', 'medium', 3],
    ])
    expect(new Set([...soon, ...later].map(({ id }) => id)).size).toBe(2)
  })

  it('does not let it open again for a threat or two', async () => {
    const alerts = await feed(alertingTask(), [...opening, threatRecord(60), threatRecord(61)])
    expect(story(alerts).map(each => each[2])).toEqual(['opened', 'closed'])
  })
})

describe('bounds', () => {
  it('forget the group that was least recently touched', async () => {
    const of = (at: number, n: number) => threatRecord(at, { entity: `ip:192.0.2.${n}` })
    const order = [of(0, 1), of(0, 2), of(1, 1), of(1, 3), of(2, 2), of(2, 1)]
    expect(story(await feed(alertingTask({ maxGroups: 3 }), order))).toHaveLength(1)
    // With room for two, 3 makes 2 go, and 2 makes 1 go.
    expect(story(await feed(alertingTask({ maxGroups: 2 }), order))).toHaveLength(0)
  })

  it('close the alert that was least recently touched, in the same transaction', async () => {
    const of = (at: number, n: number) => threatRecord(at, { entity: `ip:192.0.2.${n}`, service: 'smb' })
    const alerts = await feed(alertingTask({ maxAlerts: 2 }), [of(0, 1), of(0, 2), of(1, 1), of(2, 3)])
    expect(alerts.map(({ entity, change }) => `${entity} ${change}`)).toEqual([
      'ip:192.0.2.1 opened',
      'ip:192.0.2.2 opened',
      'ip:192.0.2.1 grew',
      'ip:192.0.2.3 opened',
      'ip:192.0.2.2 closed',
    ])
  })
})

describe('what cannot be taken', () => {
  it('goes to the dead letters, and the rest goes on', async () => {
    const bad = recordAt('threats', 1, 'ip:203.0.113.9', 'junk')
    const empty = recordAt('threats', 1, 'ip:203.0.113.9', null)
    const { outputs } = await alertingTask().process([
      threatRecord(0),
      threatRecord(0),
      bad,
      empty,
      threatRecord(2),
    ])
    expect(outputs.map(({ topic, headers }) => [topic, headers?.['code']])).toEqual([
      ['dead-letters', 'NS_UNDECODABLE'],
      ['dead-letters', 'NS_EMPTY'],
      ['alerts', undefined],
    ])
  })

  it('is tried again when the registry is away', async () => {
    const away = recordAt('threats', 0, 'k', 'unavailable')
    await expect(alertingTask().process([away])).rejects.toMatchObject({ outcome: 'retriable' })
    await expect(alertingTask().restore([away])).rejects.toMatchObject({ outcome: 'retriable' })
  })

  it.each([
    ['undecodable', 'alert:x', 'junk'],
    ['of no kind', 'other:x', '{}'],
    ['without a key', null, '{}'],
    [
      'without what its key names',
      'alert:x',
      '{"id":"alert:x","window":null,"alert":null,"suppression":null,"time":null}',
    ],
  ])('is fatal when a record of the changelog is %s', async (_what, key, value) => {
    const record = { ...recordAt('threats', 0, key, value), topic: 'alert-state', offset: 12 }
    await expect(alertingTask().restore([record])).rejects.toMatchObject({
      code: 'NS_STATE_UNREADABLE',
      outcome: 'fatal',
      message: expect.stringContaining('alert-state-5 cannot be read at offset 12'),
    })
  })
})

describe('metrics of alerting', () => {
  it('count revisions, and show what is followed, once a transaction has committed', async () => {
    const metrics = createMetrics()
    const task = alertingTask({ metrics })
    const text = () => metrics.registry.metrics()
    const result = await task.process([threatRecord(0), threatRecord(0, { service: 'smb' })])
    expect(task.size?.().figures?.map(([, value]) => value)).toEqual([0, 0])
    expect(await text()).not.toMatch(/netsentinel_alerts_total{/)
    result.committed()
    expect(await text()).toContain('netsentinel_alerts_total{rule="one",severity="low",change="opened"} 1')
    expect(task.size?.().figures).toEqual([
      [metrics.alertsUnderWay, 1],
      [metrics.alertGroups, 1],
    ])
  })
})
