import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import type { Alert } from '../../schemas/generated.ts'
import { makeAlert } from '../../test/support/threats.ts'
import { alertToOcsf, encodeAlertOcsf } from './ocsf-alert.ts'

const schema = JSON.parse(
  readFileSync(new URL('fixtures/ocsf-1.6.0-detection_finding.schema.json', import.meta.url), 'utf8'),
) as object
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema)

/** What OCSF's schema finds wrong with a finding. */
const problems = (finding: unknown): string[] => {
  validate(finding)
  return (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}

describe('an alert as an OCSF finding', () => {
  it('holds what it says of the alert', () => {
    const alert = makeAlert({
      revision: 3,
      change: 'triaged',
      status: 'acknowledged',
      field: 'user',
      values: ['root', 'pi'],
      distinct: 2,
      verdict: 'true_positive',
      assignee: 'ann',
      comment: 'looks real',
      decidedBy: 'bob',
    })
    const finding = alertToOcsf(alert)
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({
      class_uid: 2004,
      activity_id: 2,
      type_uid: 200_402,
      time: alert.updatedAt,
      severity_id: 4,
      status_id: 2,
      verdict_id: 2,
      assignee: { name: 'ann' },
      comment: 'looks real',
      count: 3,
      metadata: { uid: 'alert-1-3', event_code: 'brute-force', loggers: [{ name: 'sensor-1' }] },
      finding_info: {
        uid: 'alert-1',
        analytic: { uid: 'brute-force', type_id: 1 },
        related_events: [{ uid: 'raw-events-0-0' }],
        related_events_count: 3,
      },
      observables: [{ type_id: 2, value: '203.0.113.9' }],
      unmapped: { values: ['root', 'pi'], distinct: 2, change: 'triaged', decided_by: 'bob' },
    })
  })

  it.each<[Partial<Alert>, number, number]>([
    [{ revision: 1, change: 'opened', status: 'open' }, 1, 1],
    [{ revision: 2, change: 'grew', status: 'open' }, 2, 1],
    [{ revision: 2, change: 'triaged', status: 'acknowledged' }, 2, 2],
    [{ revision: 2, change: 'triaged', status: 'resolved' }, 3, 4],
    [{ revision: 2, change: 'closed', status: 'closed' }, 3, 99],
    [{ revision: 5, change: 'reopened', status: 'open' }, 2, 1],
  ])('is created once, updated, and closed: %j', (fields, activity, status) => {
    const finding = alertToOcsf(makeAlert(fields))
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({ activity_id: activity, status_id: status })
  })

  it('is valid and one line, whatever an attacker put into it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const alert = fc.record({
      entity: fc.oneof(
        text,
        text.map(value => `ip:${value}`),
      ),
      title: text,
      comment: fc.option(text),
      assignee: fc.option(text),
      values: fc.array(text, { maxLength: 20 }),
      group: fc.dictionary(text, text),
      sensors: fc.array(text, { maxLength: 3 }),
      techniques: fc.array(fc.oneof(text, fc.constantFrom('T1110', 'T9999.123')), { maxLength: 3 }),
      severity: fc.constantFrom('low' as const, 'critical' as const),
    })
    fc.assert(
      fc.property(alert, fields => {
        const line = encodeAlertOcsf(makeAlert(fields)).toString('utf8')
        expect(problems(JSON.parse(line))).toEqual([])
        expect(line).toMatch(/^[^\p{Cc}\u2028\u2029]+$/u)
      }),
    )
  })
})
