import type { FastifyReply } from 'fastify'
import { type FilterExpression, SEVERITIES } from '../../schemas/filter.ts'
import type { Severity } from '../../schemas/generated.ts'
import type { Principal } from '../auth/provider.ts'
import type { RecordPage, RecordQuery } from '../records.ts'
import { both, compileFilter, visibleTo } from '../sockets/filter.ts'
import { sendProblem } from './route.ts'
import { limitOf, limitSchema, textSchema, wordSchema } from './schemas.ts'

const DEFAULT_PAGE = 100
const timeText = {
  type: 'string',
  pattern: '^[0-9]{1,15}$',
  description: 'In ms since 1970 (UTC).',
} as const

/** What the lists of threats and of alerts can be asked for. */
export const historyQuery = {
  entity: textSchema(1, 512),
  severity: { ...wordSchema(SEVERITIES), description: 'This one or a worse one.' },
  score: {
    type: 'string',
    pattern: '^(0(\\.[0-9]{1,9})?|1(\\.0{1,9})?)$',
    description: 'This one or a higher one.',
  },
  sensor: textSchema(1, 256),
  technique: { ...textSchema(1, 32), description: 'An ATT&CK technique; its sub-techniques are included.' },
  from: timeText,
  to: timeText,
  cursor: { ...textSchema(1, 512), description: 'The `next` of the page before.' },
  limit: limitSchema,
} as const

/** A query by {@link historyQuery}. */
export interface HistoryQuery {
  readonly entity?: string
  readonly severity?: Severity
  readonly score?: string
  readonly sensor?: string
  readonly technique?: string
  readonly from?: string
  readonly to?: string
  readonly cursor?: string
  readonly limit?: string
}

/** The part of a query that both lists have in common. */
export const recordQueryOf = (query: HistoryQuery): Omit<RecordQuery<unknown>, 'matches'> => {
  const { entity, severity, score, from, to, cursor, limit } = query
  return {
    filter: {
      ...(entity === undefined ? {} : { entity }),
      ...(severity === undefined ? {} : { minSeverity: severity }),
      ...(score === undefined ? {} : { minScore: Number(score) }),
      ...(from === undefined ? {} : { from: Number(from) }),
      ...(to === undefined ? {} : { to: Number(to) }),
    },
    cursor,
    limit: limitOf(limit, DEFAULT_PAGE),
  }
}

/** What of a query is looked at here, beside what this principal may see. */
export const matchesOf = (query: HistoryQuery, principal: Principal, expression: FilterExpression = {}) => {
  const { sensor, technique } = query
  return both(
    visibleTo(principal),
    compileFilter({
      ...expression,
      ...(sensor === undefined ? {} : { sensor: [sensor] }),
      ...(technique === undefined ? {} : { technique: [technique] }),
    }),
  ).matches
}

/** Answers with a page under the name of what it lists. */
export const sendPage = <R>(reply: FastifyReply, name: string, page: RecordPage<R> | undefined) =>
  page === undefined
    ? sendProblem(reply, 422, 'the cursor is not the `next` of a page of this list')
    : reply.send({ [name]: page.records, next: page.next })
