import { inert } from '../../runtime/inert.ts'
import type { Notification } from './notifier.ts'

/** Longest text of one field, in UTF-16 units: what attackers put into an event is not to fill the page. */
const LONGEST = 500

const VERBS: Readonly<Record<Notification['type'], string>> = {
  'alert.opened': 'opened',
  'alert.escalated': 'escalated',
  'alert.reopened': 'reopened',
  'alert.closed': 'closed',
}

const shown = (text: string): string => {
  const safe = inert(text)
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST - 1).toWellFormed()}…` : safe
}

const time = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}

/** One line that says it all. Nothing in it acts on a terminal or ends a line; markup is for its user to escape. */
export const headlineOf = ({ type, alert }: Notification): string =>
  `[${alert.severity.toUpperCase()}] ${shown(alert.title)}: ${shown(alert.entity)} (${VERBS[type]})`

/** What there is to know about the alert: names and values, each one line, under the same promise. */
export const factsOf = ({ alert }: Notification): [name: string, value: string][] =>
  (
    [
      ['Reason', alert.reason],
      ['Severity', alert.severity],
      ['Status', alert.status],
      ['Entity', alert.entity],
      ['Rule', alert.rule],
      ['Score', alert.score.toFixed(3)],
      ['Threats', String(alert.count)],
      ['First seen', time(alert.firstSeen)],
      ['Last seen', time(alert.lastSeen)],
      ['Techniques', alert.techniques.join(', ')],
      ['Sensors', alert.sensors.join(', ')],
      ['Alert', alert.id],
    ] satisfies [string, string][]
  ).flatMap(([name, value]): [string, string][] => (value === '' ? [] : [[name, shown(value)]]))
