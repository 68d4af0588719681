import type { CommandOption } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'

/** A span of record timestamps in ms since 1970: from `from` on, before `to`. */
export interface Window {
  readonly from: number
  readonly to: number
}

/** The options through which a command takes a window. */
export const windowOptions: Readonly<Record<'from' | 'to', CommandOption>> = {
  from: {
    type: 'string',
    value: 'TIME',
    doc: 'First record timestamp that counts: ISO 8601, or `earliest`, the default.',
  },
  to: {
    type: 'string',
    value: 'TIME',
    doc: 'Record timestamp to end before: ISO 8601, or `latest`, the default.',
  },
}

/** A date, a time to the minute or finer, and a zone: a date alone is midnight, and without a zone it is UTC. */
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i

const momentOf = (name: string, text: string): number => {
  const [matches, date = '', time = '00:00', zone = 'Z'] = ISO.exec(text) ?? []
  const ms = matches === undefined ? Number.NaN : Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  if (Number.isNaN(ms)) {
    throw new SentinelError(
      'NS_USAGE',
      `--${name} takes a time such as 2026-03-01T12:00:00Z, 'earliest' or 'latest', not '${text}'`,
    )
  }
  return ms
}

/**
 * The window that `--from` and `--to` name. It goes by the record's timestamp, when the raw record arrived, because that
 * is the same for an event and its threat. Throws NS_USAGE.
 */
export const windowOf = (options: Readonly<Record<string, string | boolean | undefined>>): Window => {
  const edge = (name: 'from' | 'to', ends: number): number => {
    const text = options[name]
    if (typeof text !== 'string') return ends
    if (text === 'earliest') return Number.NEGATIVE_INFINITY
    if (text === 'latest') return Number.POSITIVE_INFINITY
    return momentOf(name, text)
  }
  const window = { from: edge('from', Number.NEGATIVE_INFINITY), to: edge('to', Number.POSITIVE_INFINITY) }
  if (window.from >= window.to) {
    throw new SentinelError('NS_USAGE', '--from must be before --to: nothing lies between them')
  }
  return window
}

/** Whether a record timestamp lies in the window. */
export const isWithin = ({ from, to }: Window, timestamp: number): boolean =>
  timestamp >= from && timestamp < to
