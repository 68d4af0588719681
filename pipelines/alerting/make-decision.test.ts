import { describe, expect, it } from '@jest/globals'
import { makeDecision, type Typed } from './make-decision.ts'

const NOW = 1_700_000_000_000
const make = (kind: string, about?: string, options: Typed['options'] = {}) =>
  makeDecision({ kind, about, options }, 'd-1', 'ann', NOW)

describe('makeDecision', () => {
  it('makes a suppression of what is named, with its end', () => {
    expect(make('suppress', undefined, { cidr: '203.0.113.0/24', rule: 'brute-force', for: '90m' })).toEqual({
      id: 'd-1',
      decision: {
        id: 'd-1',
        kind: 'suppress',
        by: 'ann',
        at: NOW,
        comment: null,
        alertId: null,
        assignee: null,
        verdict: null,
        entity: null,
        cidr: '203.0.113.0/24',
        sensor: null,
        technique: null,
        rule: 'brute-force',
        expiresAt: NOW + 90 * 60_000,
      },
    })
  })

  it('makes triage of an alert, by whom and under the id that is given', () => {
    const { id, decision } = make('resolve', 'a-1', {
      verdict: 'false_positive',
      by: 'bob',
      id: 'mine',
      comment: 'a test',
    })
    expect(id).toBe('mine')
    expect(decision).toMatchObject({
      id: 'mine',
      kind: 'resolve',
      alertId: 'a-1',
      verdict: 'false_positive',
      by: 'bob',
      comment: 'a test',
    })
    expect(make('assign', 'a-1', { to: 'eve' }).decision).toMatchObject({ kind: 'assign', assignee: 'eve' })
  })

  it('makes a lifting', () => {
    expect(make('lift', 's-1')).toEqual({ id: 's-1', decision: null })
  })

  it.each<[string, Parameters<typeof make>, RegExp]>([
    ['another kind', ['forget', 'a-1'], /'forget' is none of suppress, acknowledge/],
    ['no alert', ['resolve'], /name the alert by its id: decide resolve ID/],
    ['no suppression to lift', ['lift'], /name the suppression by its id/],
    ['a suppression of everything', ['suppress'], /a suppression names an entity/],
    ['a suppression with an operand', ['suppress', 'x', { rule: 'r' }], /takes options only/],
    ['a network that is none', ['suppress', undefined, { cidr: '203.0.113.0' }], /not a network like/],
    [
      'a timespan that is none',
      ['suppress', undefined, { rule: 'r', for: 'soon' }],
      /--for: 'soon' is not a timespan/,
    ],
    [
      'an option of another kind',
      ['acknowledge', 'a-1', { cidr: '10.0.0.0/8' }],
      /acknowledge takes no --cidr/,
    ],
    [
      'a verdict that is none',
      ['verdict', 'a-1', { verdict: 'maybe' }],
      /true_positive or false_positive, not 'maybe'/,
    ],
    ['a verdict without one', ['verdict', 'a-1'], /verdict needs a verdict/],
    ['a comment without one', ['comment', 'a-1'], /needs --comment TEXT/],
  ])('refuses %s', (_what, args, message) => {
    const attempt = () => make(...args)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ code: 'NS_USAGE' }))
  })
})
