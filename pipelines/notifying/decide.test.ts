import { describe, expect, it } from '@jest/globals'
import type { Alert } from '../../schemas/generated.ts'
import { makeAlert } from '../../test/support/threats.ts'
import { type NotifyRules, notificationOf } from './decide.ts'

const decide = (alert: Partial<Alert>, rules: Partial<NotifyRules> = {}) =>
  notificationOf(makeAlert(alert), { minSeverity: 'high', closed: false, ...rules })

describe('what people are told', () => {
  it.each([
    ['an alert that opens severe enough', { change: 'opened', severity: 'high' }, {}, 'alert.opened'],
    ['one that opens more severe', { change: 'opened', severity: 'critical' }, {}, 'alert.opened'],
    ['one that opens too mild', { change: 'opened', severity: 'medium' }, {}, undefined],
    ['one that only grows', { change: 'grew', severity: 'critical' }, {}, undefined],
    ['one that somebody looks after', { change: 'triaged', severity: 'critical' }, {}, undefined],
    ['one that escalates far enough', { change: 'escalated', severity: 'high' }, {}, 'alert.escalated'],
    ['one that escalates to less', { change: 'escalated', severity: 'medium' }, {}, undefined],
    ['one that opens again', { change: 'reopened', severity: 'high' }, {}, 'alert.reopened'],
    ['one that closes', { change: 'closed', severity: 'high' }, {}, undefined],
    [
      'one that closes, when that is asked for',
      { change: 'closed', severity: 'high' },
      { closed: true },
      'alert.closed',
    ],
    ['a mild one that closes', { change: 'closed', severity: 'low' }, { closed: true }, undefined],
    [
      'a mild one, when those are asked for',
      { change: 'opened', severity: 'low' },
      { minSeverity: 'low' },
      'alert.opened',
    ],
  ] as const)('of %s', (_, alert, rules, type) => {
    expect(decide(alert, rules)?.type).toBe(type)
  })

  it('has one key for a revision, whenever it is decided, and another for any other', () => {
    const key = (alert: Partial<Alert>) => decide({ change: 'opened', severity: 'high', ...alert })?.key
    expect(key({ id: 'a', revision: 1 })).toBe(key({ id: 'a', revision: 1, count: 9 }))
    const keys = [
      key({ id: 'a', revision: 1 }),
      key({ id: 'a', revision: 2 }),
      key({ id: 'a:1', revision: 1 }),
      key({ id: '1:a', revision: 1 }),
    ]
    expect(new Set(keys).size).toBe(4)
    expect(key({ id: 'rule:ip:203.0.113.9\r\n:1' })).toMatch(/^ntf_[0-9a-f]{32}$/)
  })
})
